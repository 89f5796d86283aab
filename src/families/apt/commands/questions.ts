import { lines } from '../../../system/context.ts';
import type { UnfollowedLine } from '../../../system/scripts.ts';
import type { Tree } from '../../../tree/tree.ts';
import type { Debconf } from '../configure/debconf.ts';

/** Replaces a `config` script that is not written in shell. */
export interface Questions {
  /** The questions that such scripts answer and the paths they write, all of which `ask` covers. */
  readonly covers: readonly string[];
  /** Sets what the script sets when the user gave no answer. */
  readonly ask: (debconf: Debconf, tree: Tree) => void;
}

/** Answers a question unless the user did. */
function suggest(debconf: Debconf, name: string, value: string): void {
  if (!debconf.answered(name)) debconf.set(name, value);
}

/** By package. */
export const QUESTIONS: Readonly<Record<string, Questions>> = {
  // written in Perl: a machine without a name of its own is `localhost` in `localdomain`
  postfix: {
    covers: [
      'postfix/main_mailer_type',
      'postfix/mailname',
      // only after answers given at a terminal
      'postfix/rfc1035_violation',
      'postfix/bad_recipient_delimiter',
      'postfix/relayhost',
      // the first ordinary user's, and there is none
      'postfix/root_address',
      'postfix/destinations',
      // settings of an earlier installation
      'postfix/mynetworks',
      'postfix/procmail',
      'postfix/protocols',
      // marks for a running server
      '/var/spool/postfix/reload',
      '/var/spool/postfix/restart',
    ],
    ask: (debconf, tree) => {
      if (tree.has('etc/postfix/main.cf')) suggest(debconf, 'postfix/main_mailer_type', 'No configuration');
      if (debconf.get('postfix/main_mailer_type') === 'No configuration') return;
      const mailname = (tree.text('etc/mailname') ?? '').split('\n')[0] || 'localdomain';
      suggest(debconf, 'postfix/mailname', mailname);
      const own = debconf.get('postfix/mailname');
      if (/^(Internet with smarthost|Satellite system)$/.test(debconf.get('postfix/main_mailer_type') ?? ''))
        suggest(debconf, 'postfix/relayhost', 'smtp.localdomain');
      suggest(
        debconf,
        'postfix/destinations',
        debconf.get('postfix/main_mailer_type') === 'Internet Site'
          ? `$myhostname, ${own}, localhost, localhost.localdomain, localhost`
          : `${own}, $myhostname, localhost, localhost.localdomain, localhost`,
      );
      suggest(debconf, 'postfix/procmail', String(tree.has('usr/bin/procmail')));
      suggest(debconf, 'postfix/protocols', 'all');
    },
  },
};

/** Perl that answers a question, changes a file, or runs a program for its effect. */
const EFFECT =
  /(?<![\w>$@%])(?:(?:set|subst|x_loadtemplatefile|unregister|reset|system|exec|unlink|rename|rmdir|mkdir|symlink|link|chmod|chown|sysopen|truncate)\s*\(|(?:system|exec|unlink|rename|rmdir|mkdir|symlink|sysopen)\s+['"$@]|open\b[^;]*(?:['"]\s*\+?>|\|-))/;

/** Longer lines are not examined. */
const LINE_LIMIT = 4096;

/** The lines of a Perl script whose effects `questions` does not cover. */
export function uncovered(questions: Questions, text: string, file: string): UnfollowedLine[] {
  return lines(text).flatMap((source, i) => {
    const code = source.replace(/^\s*#.*|\s#\s.*/, '');
    // no line of a person is that long, and the expression takes quadratic time
    const long = code.length > LINE_LIMIT;
    if ((!long && !EFFECT.test(code)) || questions.covers.some((one) => mentions(code, one))) return [];
    return [{ line: i + 1, source: source.trim(), reason: 'not covered by the rule for this script', file }];
  });
}

/** True when the code contains the name as a quoted word. */
function mentions(code: string, name: string): boolean {
  return code.includes(`"${name}"`) || code.includes(`'${name}'`);
}

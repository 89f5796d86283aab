import type { Tree } from '../../../tree/tree.ts';
import type { Debconf } from '../configure/debconf.ts';

/** What stands for a `config` script that is not written for the shell. */
export interface Questions {
  /** Digests (see `scriptDigest`) of the scripts it was verified against. */
  readonly verified: readonly string[];
  /** Sets what the script sets when nobody answers. */
  readonly ask: (debconf: Debconf, tree: Tree) => void;
}

/** Answers a question unless somebody did. */
function suggest(debconf: Debconf, name: string, value: string): void {
  if (!debconf.answered(name)) debconf.set(name, value);
}

/** By package. */
export const QUESTIONS: Readonly<Record<string, Questions>> = {
  // written in Perl: a machine without a name of its own is `localhost` in `localdomain`
  postfix: {
    verified: ['04a5d33da120c0b7', '9cec152c3ea3cd2d'],
    ask: (debconf, tree) => {
      if (tree.has('etc/postfix/main.cf')) suggest(debconf, 'postfix/main_mailer_type', 'No configuration');
      if (debconf.get('postfix/main_mailer_type') === 'No configuration') return;
      const mailname = (tree.text('etc/mailname') ?? '').split('\n')[0] || 'localdomain';
      suggest(debconf, 'postfix/mailname', mailname);
      const own = debconf.get('postfix/mailname');
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

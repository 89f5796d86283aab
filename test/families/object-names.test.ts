import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { profileNamed } from '../../src/distros/distros.ts';
import { architectureOf } from '../../src/distros/profile.ts';
import { licensesOf } from '../../src/families/apt/copyright.ts';
import { runLua } from '../../src/families/rpm/lua/run.ts';
import { parseMirrorList } from '../../src/families/rpm/mirrors.ts';
import { PrimaryReader } from '../../src/families/rpm/primary.ts';
import { readRepoFile } from '../../src/families/rpm/repo-file.ts';
import { plainKernel } from '../../src/formats/kernel/image.ts';
import { parseContexts } from '../../src/formats/selinux/contexts.ts';
import { compileExpression } from '../../src/formats/selinux/expression.ts';
import { XmlScanner } from '../../src/formats/xml/scan.ts';
import { runScript } from '../../src/shell/run.ts';
import { zboot } from '../support/kernels.ts';
import { installed, smallSystem } from '../support/postinst.ts';

/** Words that every object of JavaScript has are to inputs what any unknown word is. */

const NAMES = Object.getOwnPropertyNames(Object.prototype);
/** As long as the longest of them may be, and no word of any input. */
const OTHER = 'zzzzzzzz';

const shell = (text: string) => {
  const { status, stdout, stderr, unknown } = runScript(text, {
    tree: smallSystem(),
    name: 'made',
    time: 1_700_000_000,
  });
  return { status, stdout, stderr, unknown };
};

const lua = (text: string) => {
  const context = { tree: smallSystem(), epoch: 0, machine: 'x86_64', environment: {}, commands: new Map() };
  const outcome = runLua({ title: 'made', text, args: [], input: '' }, context, []);
  return { outcome, out: context.tree.text('tmp/out') };
};

const primary = (inside: string, type = 'sha256') => {
  const reader = new PrimaryReader('made');
  reader.push(
    Buffer.from(
      `<metadata><package><name>a</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/><checksum type="${type}">00</checksum><location href="a.rpm"/><format>${inside}</format></package></metadata>`,
    ),
  );
  const { table, facts } = reader.end();
  return { table, facts };
};

const READERS: Readonly<Record<string, (word: string) => unknown>> = {
  'a licence of Debian': (word) =>
    licensesOf(`Format: https://x/copyright-format/1.0/\n\nFiles: *\nLicense: ${word}\n`),
  'a key of a .repo file': (word) =>
    readRepoFile(`[x]\nbaseurl=https://x/\n${word}=1\n`, 'made.repo', {} as never, {}, {
      report: assert.fail,
    } as never),
  'an element with dependencies': (word) => primary(`<${word}><rpm:entry name="b"/></${word}>`),
  'a comparison of a dependency': (word) =>
    primary(`<rpm:requires><rpm:entry name="b" flags="${word}" ver="1"/></rpm:requires>`),
  'a digest of a metalink': (word) =>
    parseMirrorList(
      Buffer.from(
        `<metalink><files><file name="repomd.xml"><size>1</size><verification><hash type="${word}">00</hash></verification><resources><url>https://x/repodata/repomd.xml</url></resources></file></files></metalink>`,
      ),
      'made',
    ),
  'an entity of XML': (word) => {
    const texts: string[] = [];
    const scanner = new XmlScanner({ open: () => {}, close: (_, text) => void texts.push(text) }, 'made');
    scanner.push(Buffer.from(`<a>&${word};</a>`));
    scanner.end();
    return texts;
  },
  'a type of files in contexts': (word) => parseContexts(`/a ${word} system_u:object_r:a_t:s0\n`, 'made'),
  'a class of an expression': (word) => {
    try {
      return typeof compileExpression(`/[[:${word.slice(0, 8)}:]]`);
    } catch (error) {
      return (error as Error).constructor.name;
    }
  },
  'a compression of a kernel': (word) => plainKernel(randomAccessMemory(zboot(Buffer.alloc(4096), word)), 'made'),
  'an architecture': (word) => architectureOf(profileNamed('debian'), word),
  'a field of a file in Lua': (word) => lua(`io.open('/tmp/out', 'w'):write(type(posix.stat('/etc', '${word}')))`),
  'a field of an account in Lua': (word) =>
    lua(`io.open('/tmp/out', 'w'):write(type(posix.getpasswd('root', '${word}')))`),
  'a variable in Lua': (word) =>
    lua(`local old = os.getenv('${word}') posix.setenv('${word}', 'x')
io.open('/tmp/out', 'w'):write(type(old), os.getenv('${word}'), posix.getenv('${word}'))`),
  'a package': (word) => {
    const { tree, warnings } = installed([
      { name: word, control: { postinst: '#!/bin/sh\nset -e\necho x > /etc/done\n' } },
    ]);
    return [tree.text('etc/done'), warnings];
  },
  ...Object.fromEntries(
    [
      ...['test -e WORD', '[ -c WORD ]', 'echo x > WORD; cat WORD', 'set -o WORD', '[ -o WORD ]', 'getent WORD root'],
      ...[
        'date -IWORD',
        'date --rfc-3339=WORD',
        'df --output=WORD',
        'ls --sort=WORD /etc',
        'sort --sort=WORD /etc/passwd',
      ],
      ...[
        'WORD',
        'echo $WORD',
        'WORD=1; echo $WORD',
        'WORD() { echo f; }; WORD',
        'export WORD=a; env',
        'alias WORD=ls; alias',
      ],
      ...['kill -WORD 1', 'trap : WORD', 'find / -type WORD', 'find / -WORD', 'awk "BEGIN { print WORD(1) }"'],
      ...['awk "BEGIN { a[\\"WORD\\"]++; for (k in a) print k, a[k] }"', 'declare -A a; a[WORD]=1; echo ${!a[@]}'],
      ...['iconv -f WORD /etc/passwd', 'uname --WORD', 'ls --WORD', 'dd WORD=1', 'numfmt --to=WORD 1'],
      ...[
        'head -c 1WORD /etc/passwd',
        'truncate -s 1WORD /tmp/x; stat -c %s /tmp/x',
        'split -b 1WORD /etc/passwd',
        'du -B 1WORD /etc',
        'fallocate -l 1WORD /tmp/x',
        'sleep 1WORD',
        'find / -size 1WORD',
        'find / -newermt WORD',
        'date -d WORD',
        'echo a | grep "[[:WORD:]]"',
        'shopt -s WORD',
      ],
      ...[
        'umask WORD',
        'chmod WORD /etc',
        'chown WORD /etc/passwd',
        'install -m WORD /etc/passwd /tmp/x',
        'command -v WORD',
      ],
    ].map((text) => [
      `sh: ${text}`,
      (word: string) => ['#!/bin/sh\n', '#!/bin/bash\n'].map((first) => shell(first + text.replaceAll('WORD', word))),
    ]),
  ),
};

/** What came of it, with `word` as OTHER. */
async function outcome(read: (word: string) => unknown, word: string): Promise<string> {
  let found: unknown;
  try {
    found = await read(word);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    found = { code, message };
  }
  return JSON.stringify(found, (_, value) => (typeof value === 'function' ? String(value) : value))
    .replaceAll(word, OTHER)
    .replaceAll(word.toLowerCase(), OTHER)
    .replaceAll(word.replaceAll('_', ''), OTHER);
}

describe('a word that objects have is a word like any other', () => {
  for (const [what, read] of Object.entries(READERS))
    test(what, async () => {
      const expected = await outcome(read, OTHER);
      assert.doesNotMatch(expected, /TypeError|"message":"(?:Cannot read|.* is not a function)/);
      for (const name of NAMES) assert.equal(await outcome(read, name), expected, name);
    });
});

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { needs, ROOT, type temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { makeLocalPackages } from '../support/example-repository.ts';
import { Closing, type MadeArchive, madeArchive, Newcomer, type Typed } from '../support/newcomer.ts';

/** A newcomer's first day: commands, help and mistakes, typed by an ordinary user in a narrow and in a wide terminal. */

const COLUMNS = [40, 120];
const closing = new Closing();
let archive: MadeArchive;
before(async () => {
  archive = await madeArchive(closing);
});
after(() => closing.close());

function newcomer(t: Parameters<typeof temporary>[0]): Newcomer {
  const someone = new Newcomer(t, archive);
  symlinkSync(join(ROOT, 'docs'), join(someone.home, 'docs'));
  const files = [
    { name: 'sbin/' },
    { name: 'sbin/init', data: '#!/bin/sh\n', mode: 0o755 },
    { name: 'etc/' },
    { name: 'etc/os-release', data: 'ID=small\n' },
  ];
  writeFileSync(join(someone.home, 'rootfs.tar'), tar(files));
  return someone;
}

/** What no output may have, good or bad. */
function expectClean({ lines, raw }: Typed, what: string): void {
  const text = lines.join('\n');
  assert.doesNotMatch(text, /^\s+at .*[:(]\d+/m, `${what}: a stack trace`);
  assert.doesNotMatch(text, /\[[#-]{6,}\]/, `${what}: a bar that stays`);
  assert.doesNotMatch(text, /undefined|\[object|NaN|TypeError|RangeError/, what);
  assert.doesNotMatch(raw, /\x1b\[[\d;]*m/, `${what}: colours`);
}

/** Mistakes: what is typed, the exit code, and what the sentence must say. */
const MISTAKES: readonly (readonly [line: string, code: number, sentence: RegExp, hint?: RegExp])[] = [
  ['osbuilder', 2, /no command is given/, /osbuilder help/],
  ['osbuilder inird', 2, /unknown command "inird"; did you mean "initrd"\?/],
  ['osbuilder help pln', 2, /unknown command "pln"; did you mean "plan"\?/],
  ['osbuilder plan --ditsro debian', 2, /unknown argument: --ditsro; did you mean "--distro"\?/],
  ['osbuilder plan -distro debian', 2, /unknown argument: -distro; did you mean "--distro"\?/],
  ['osbuilder plan --distro debain', 2, /unknown distribution "debain".*did you mean "debian"\?/],
  ['osbuilder plan --distro debian --os-version trixi', 2, /no release "trixi".*did you mean "trixie"\?/],
  ['osbuilder plan --distro debian --arch x86_46', 2, /"x86_46".*did you mean "x86_64"\?/],
  ['osbuilder initrd --compress gzp', 2, /invalid value "gzp": expected one of .*did you mean "gzip"\?/],
  ['osbuilder image --partition-table gtp', 2, /invalid value "gtp".*did you mean "gpt"\?/],
  ['osbuilder plan --jobs many', 2, /--jobs: invalid value "many": expected a whole number/],
  ['osbuilder plan --distro', 2, /--distro needs a value/],
  ['osbuilder plan --json=perhaps', 2, /--json: invalid value "perhaps": expected yes or no/],
  ['osbuilder rootfs', 2, /say where the rootfs goes/],
  ['osbuilder build', 2, /say what to make/],
  ['osbuilder inspect', 2, /"osbuilder inspect" needs FILE/],
  ['osbuilder inspect a b', 2, /unexpected argument "b"/],
  ['osbuilder cache burn', 2, /unknown action "burn"/],
  ['osbuilder inspect rootfs.tar --distro debian', 2, /--distro has no effect/],
  ['osbuilder inspect nowhere.img', 1, /nowhere\.img: .*no such file/i],
  ['osbuilder initrd nowhere/', 1, /nowhere\/?: .*no such file/i],
  ['osbuilder plan --config nowhere.yaml', 1, /nowhere\.yaml/],
  ['osbuilder inspect docs/settings.md', 1, /settings\.md .*expected a folder, a tar or cpio archive/],
  ['osbuilder extract rootfs.tar -o rootfs.tar', 1, /rootfs\.tar/, /./],
  ['osbuilder image rootfs.tar --skip-rootfs-check -o rootfs.tar', 1, /rootfs\.tar/, /./],
  ['osbuilder extract rootfs.tar -o full', 1, /full/, /--force/],
  ['osbuilder image rootfs.tar --skip-rootfs-check -o /usr/x.img', 1, /\/usr\/x\.img.*permission denied/i],
  ['osbuilder image rootfs.tar --skip-rootfs-check -o rootfs.tar/x.img', 1, /not a (folder|directory)/i],
  ['osbuilder initrd rootfs.tar', 1, /would not start/, /--agent/],
  ['osbuilder build --distro debian --initrd x.img', 1, /there is no agent/, /--agent/],
];

for (const columns of COLUMNS)
  test(`mistakes in ${columns} columns: one clear sentence, an exit code, a proposal`, {
    skip: needs({ tools: ['script', 'stty'] }),
  }, async (t) => {
    const someone = newcomer(t);
    mkdirSync(join(someone.home, 'full'));
    writeFileSync(join(someone.home, 'full/letter'), 'dear');
    for (const [line, code, sentence, hint] of MISTAKES) {
      const typed = await someone.type(line, { columns });
      const said = typed.lines.filter(
        (one) => !/^(Planning|Fetching|Unpacking|Configuring|Provisioning|Reading) +[\d.]+ s\b/.test(one),
      );
      assert.equal(typed.code, code, `${line}: ${said.join('\n')}`);
      expectClean(typed, line);
      assert.match(said[0] ?? '', /^osbuilder: .*\[[A-Z_]+\]$/, `${line}: ${said.join('\n')}`);
      assert.match(said[0]!, sentence, line);
      assert.ok(said.length <= 2, `${line}: ${said.join('\n')}`);
      if (hint !== undefined) assert.match(said[1] ?? '', hint, line);
    }
    // nothing was harmed
    assert.equal(readFileSync(join(someone.home, 'full/letter'), 'utf8'), 'dear');
    assert.match((await someone.type('osbuilder verify rootfs.tar', { columns })).lines.join('\n'), /sound/);
  });

for (const columns of COLUMNS)
  test(`help, plan, build, look, take apart in ${columns} columns`, {
    skip: needs({ tools: ['script', 'stty'] }),
  }, async (t) => {
    const someone = newcomer(t);
    const good = async (line: string): Promise<string> => {
      const typed = await someone.type(line, { columns });
      assert.equal(typed.code, 0, `${line}: ${typed.lines.join('\n')}`);
      expectClean(typed, line);
      return typed.lines.join('\n');
    };
    for (const line of ['osbuilder --help', 'osbuilder help', 'osbuilder help build', 'osbuilder inspect --help'])
      for (const row of (await good(line)).split('\n'))
        assert.ok(row.length <= Math.max(columns, 40), `${line}: ${row}`);
    assert.match(await good('osbuilder version'), /^\d+\.\d+\.\d+$/);
    assert.match(await good('osbuilder distros'), /^debian/m);
    assert.match(await good('osbuilder plan --distro debian --agent demo --strict'), /packages, .* to fetch$/);
    assert.match(await good('osbuilder why jq --distro debian --extra-pkgs jq'), /jq/);
    const built = await good(
      'osbuilder build --config docs/examples/minimal.yaml --rootfs r.tar --initrd i.img --image k.img',
    );
    for (const name of ['r.tar', 'i.img', 'k.img']) {
      assert.match(built, new RegExp(`^Writing .* ${name}$`, 'm'));
      assert.match(built, new RegExp(`sha256:[0-9a-f]{64} {2}${name}$`, 'm'));
    }
    assert.match(await good('osbuilder build --config docs/examples/agent-init.yaml'), /^initrd .*sha256/m);
    assert.match(await good('osbuilder inspect k.img'), /ext4/);
    assert.equal(await good('osbuilder inspect i.img --cat etc/passwd'), 'root:x:0:0:root:/root:/bin/sh');
    assert.match(await good('osbuilder verify r.tar i.img k.img'), /k\.img: disk, sound/);
    assert.match(await good('osbuilder extract k.img -o tree/'), /tree/);
    assert.match(await good('osbuilder image tree -o again.img'), /^image .*again\.img$/m);
    assert.match(await good('osbuilder cache info'), /archives/);
    assert.match(await good('osbuilder cache clear'), /all removed/);
    // quiet is quiet
    assert.match(await good('osbuilder initrd r.tar --quiet -o q.img'), /^initrd .*q\.img$/);
  });

for (const columns of COLUMNS)
  test(`every example of docs/examples in ${columns} columns`, {
    skip: needs({ tools: ['script', 'stty'] }),
  }, async (t) => {
    const someone = newcomer(t);
    makeLocalPackages(join(someone.home, 'packages'));
    const names = readdirSync(join(ROOT, 'docs/examples')).filter((name) => name.endsWith('.yaml'));
    assert.ok(names.length >= 9);
    for (const name of names) {
      const text = readFileSync(join(ROOT, 'docs/examples', name), 'utf8');
      const line = /^# {3}(osbuilder .+)$/m.exec(text)![1]!;
      const env = /^distro: alpine$/m.test(text) ? archive.alpine : {};
      const typed = await someone.type(line, { columns, env });
      assert.equal(typed.code, 0, `${name}: ${typed.lines.join('\n')}`);
      expectClean(typed, name);
      const said = typed.lines.join('\n');
      for (const [, kind, path] of text.matchAll(/^(rootfs|initrd|image): (\S+)$/gm))
        assert.match(said, new RegExp(`^${kind} .*sha256:[0-9a-f]{64} {2}${path!.replaceAll('.', '\\.')}$`, 'm'), name);
    }
  });

test('on a terminal the phases draw a bar; NO_COLOR changes nothing, a dumb terminal and a file get plain lines', {
  skip: needs({ tools: ['script', 'stty'] }),
}, async (t) => {
  const someone = newcomer(t);
  const line = 'osbuilder initrd rootfs.tar --skip-rootfs-check -o i.img';
  const drawn = await someone.type(line, { columns: 40 });
  assert.match(drawn.raw, /\x1b\[J\S*Writing +0 % \[-+\]/);
  const plain = await someone.type(line, { columns: 40, env: { NO_COLOR: '1' } });
  assert.deepEqual(plain.lines.length, drawn.lines.length);
  const dumb = await someone.type(line, { columns: 40, env: { TERM: 'dumb' } });
  assert.doesNotMatch(dumb.raw, /\x1b/);
  for (const command of [line, 'osbuilder --help', 'osbuilder inird', 'osbuilder inspect i.img', 'osbuilder distros']) {
    const piped = await someone.pipe(command);
    assert.doesNotMatch(piped.raw, /[\x1b\r]/, command);
    expectClean(piped, command);
  }
});

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Tree } from '../../src/tree/tree.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { ROOT } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { makeAlpine, makeDebian, makeLocalPackages } from '../support/example-repository.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Every example of docs/examples is run as its comment says, with made repositories in place of the distributions'. */

const EXAMPLES = join(ROOT, 'docs/examples');
const NAMES = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));

/** The command that an example's comment shows. */
function commandOf(name: string): string[] {
  const text = readFileSync(join(EXAMPLES, name), 'utf8');
  const match = /^# {3}osbuilder (.+)$/m.exec(text);
  assert.ok(match, `${name} shows no command`);
  return match[1]!.split(' ');
}

/** What each example makes, as a reader would check it. */
const EXPECTED: Readonly<Record<string, { readonly outputs: readonly string[]; check(tree: Tree): void }>> = {
  'agent-init.yaml': {
    outputs: ['initrd kata-containers-initrd.img'],
    check: (tree) => assert.match(tree.text('sbin/init')!, /KATA-AGENT-READY/),
  },
  'alpine.yaml': {
    outputs: ['image kata-alpine.img'],
    check(tree) {
      assert.match(tree.text('sbin/init')!, /KATA-AGENT-READY/);
      assert.equal(tree.text('usr/share/curl.txt'), 'curl');
    },
  },
  'arm64.yaml': {
    outputs: ['image kata-containers-arm64.img'],
    check: (tree) => assert.match(tree.text('var/lib/osbuilder/osbuilder.yaml')!, /aarch64/),
  },
  'custom-image.yaml': {
    outputs: ['rootfs rootfs.tar.zst', 'initrd kata-containers-initrd.img', 'image kata-containers.img'],
    check: (tree) => assert.ok(tree.has('etc/kata-opa/default-policy.rego')),
  },
  'local-repository.yaml': {
    outputs: ['initrd kata-containers-initrd.img'],
    check: (tree) => assert.ok(tree.has('usr/bin/hello-guest')),
  },
  'minimal.yaml': {
    outputs: ['image kata-containers.img'],
    check: (tree) => assert.equal(tree.realpath('sbin/init'), 'usr/lib/systemd/systemd'),
  },
  'packages-and-overlay.yaml': {
    outputs: ['image kata-containers.img'],
    check(tree) {
      assert.equal(tree.text('etc/motd'), readFileSync(join(EXAMPLES, 'overlay/etc/motd'), 'utf8'));
      assert.ok(tree.has('usr/share/jq/file') && tree.has('usr/share/nftables/file'));
      for (const path of ['usr/share/chrony', 'etc/cron.daily', 'usr/lib/some-linux/gconv'])
        assert.ok(!tree.has(path), path);
    },
  },
  'ppc64le.yaml': {
    outputs: ['initrd kata-containers-initrd-ppc64le.img'],
    check: (tree) => assert.match(tree.text('var/lib/osbuilder/osbuilder.yaml')!, /ppc64le/),
  },
  'repack.yaml': {
    outputs: ['image repacked.img'],
    check(tree) {
      assert.equal(tree.text('etc/os-release'), 'ID=small\n');
      assert.equal(tree.stat('etc/os-release')!.uid, 0);
    },
  },
};

/** Archives that were out of reach when the page was written: it shows no output of these. */
const UNSHOWN = new Set(['alpine.yaml', 'ppc64le.yaml']);

let folder: string;
let server: StaticServer;
const keyrings: Record<string, string> = {};
const closing: (() => void | Promise<void>)[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'osbuilder-examples-'));
  const root = join(folder, 'archive');
  keyrings['debian'] = await makeDebian(folder, root);
  keyrings['alpine'] = makeAlpine(folder, root);
  server = await serve({ after: (fn) => void closing.push(fn) }, root);
});
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

test('every example is known here, and described in docs/examples/README.md', () => {
  assert.deepEqual(NAMES.toSorted(), Object.keys(EXPECTED).toSorted());
  const page = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
  for (const name of NAMES) {
    assert.ok(page.includes(`](${name})`), `${name} is not in the page`);
    const command = commandOf(name).join(' ');
    assert.ok(page.includes(`$ osbuilder ${command}\n`), `the page does not show "osbuilder ${command}"`);
    for (const output of UNSHOWN.has(name) ? [] : EXPECTED[name]!.outputs) {
      const [kind, path] = output.split(' ');
      assert.match(page, new RegExp(`^${kind} .*sha256:[0-9a-f]{64} {2}${path!.replaceAll('.', '\\.')}$`, 'm'), name);
    }
  }
});

for (const name of NAMES)
  test(`docs/examples/${name}`, async () => {
    const cwd = join(folder, name);
    mkdirSync(cwd);
    symlinkSync(join(ROOT, 'docs'), join(cwd, 'docs'));
    makeLocalPackages(join(cwd, 'packages'));
    const small = [{ name: 'sbin/' }, { name: 'etc/' }, { name: 'etc/os-release', data: 'ID=small\n', uid: 1000 }];
    writeFileSync(join(cwd, 'rootfs.tar'), tar(small));
    const distro = /^distro: (\w+)$/m.exec(readFileSync(join(EXAMPLES, name), 'utf8'))?.[1];
    const made =
      distro === undefined
        ? []
        : [
            '--repo-url',
            `${server.url}/${distro}`,
            '--keyring',
            keyrings[distro]!,
            '--cache-dir',
            join(folder, 'cache'),
          ];
    const said = await osbuilder([...commandOf(name), ...made, '--json'], { cwd });
    assert.equal(said.code, 0, said.stderr);
    const { outputs, warnings } = JSON.parse(said.stdout) as {
      outputs: { kind: string; path: string }[];
      warnings: { code: string; message: string }[];
    };
    assert.deepEqual(
      outputs.map((one) => `${one.kind} ${one.path}`),
      EXPECTED[name]!.outputs,
    );
    // only that nobody signed the folder of the user's own packages
    assert.deepEqual(
      warnings.filter((one) => one.code !== 'UNAUTHENTICATED').map((one) => one.message),
      [],
    );
    for (const { path } of outputs) EXPECTED[name]!.check(await treeOf(join(cwd, path), cwd));
  });

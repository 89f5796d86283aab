import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/errors/error.ts';
import { COMPONENTS, checkComponents } from '../../src/rootfs/components.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';

/** Manifests of extensions, as Kata's agent reads them. */

/** The abridged manifest of Kata's own documentation has the same parts. */
const GOOD = `schema_version = 1

[paths]
"ocicrypt-config" = "etc/ocicrypt_config.json"
"pause-bundle" = "pause_bundle"

[[process]]
id = "attestation-agent"
level = 1
args = ["--attestation_sock", "\${aa_attestation_uri}"]
optional_args = [{ when = "initdata_toml_path", args = ["--initdata-toml", "\${initdata_toml_path}"] }]
config = "\${aa_config_path}"
wait_socket = "\${aa_attestation_socket}"
timeout_secs = "\${launch_process_timeout}"
select = "\${attester_variant}"

  [process.variants.default]
  path = "usr/bin/agent"

  [process.variants.other]
  path = "/usr/bin/agent"
  env = { LD_LIBRARY_PATH = "\${extension_root}/usr/lib" }

[[process]]
id = "hub"
level = 2
path = "usr/bin/agent"
timeout_secs = "6"

[[process]]
id = "never"
path = "absent"
`;

function extension(manifest: string | undefined): Tree {
  const tree = new Tree();
  tree.writeFile('usr/bin/agent', '#!/bin/sh\n', rootMeta(0o755));
  tree.writeFile('usr/bin/data', '', rootMeta(0o644));
  tree.writeFile('etc/ocicrypt_config.json', '{}');
  tree.makeDirectory('pause_bundle');
  if (manifest !== undefined) tree.writeFile(COMPONENTS, Buffer.from(manifest, 'utf8'));
  return tree;
}

async function reason(manifest: string | undefined, name = 'tools'): Promise<string | undefined> {
  try {
    await checkComponents(extension(manifest), name);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof BuildError && error.code === 'EXTENSION_MANIFEST', String(error));
    return error.message;
  }
}

test('a manifest that the agent takes passes; without one only "coco" is an error', async () => {
  assert.equal(await reason(GOOD), undefined);
  assert.equal(await reason(GOOD, 'coco'), undefined);
  assert.equal(await reason(undefined), undefined);
  assert.match((await reason(undefined, 'coco'))!, /does not start when the extension "coco" has none/);
});

const process = (lines: string) => `schema_version = 1\n[[process]]\nid = "x"\nlevel = 1\n${lines}\n`;
const BAD: readonly (readonly [manifest: string, says: RegExp])[] = [
  ['', /schema_version must be 1$/],
  ['schema_version = 2', /must be 1, and is 2/],
  ['schema_version = "1"', /and is "1"/],
  ['schema_version = 1\nschema_version = 1', /agent would reject: /],
  ['schema_version = ', /agent would reject: /],
  ['schema_version = 1\n[paths]\na = "../x"', /component "a": the path "\.\.\/x" has "\.\." in it/],
  ['schema_version = 1\n[paths]\na = " "', /empty path/],
  ['schema_version = 1\n[paths]\na = "absent"', /the extension has no "absent"/],
  ['schema_version = 1\n[paths]\na = 1', /paths must have strings only/],
  ['schema_version = 1\npaths = []', /paths must be a table/],
  ['schema_version = 1\nprocess = 3', /must be an array of tables/],
  ['schema_version = 1\nprocess = [3]', /\[\[process\]\] must be a table/],
  ['schema_version = 1\n[[process]]\nlevel = 1', /has no "id"/],
  ['schema_version = 1\n[[process]]\nid = "x"\nlevel = -1', /"level" must be a whole number/],
  [process(''), /process "x" has no "path"/],
  [process('path = "usr/bin/data"'), /is not executable/],
  [process('path = "usr/bin"'), /is not executable/],
  [process('path = "usr/bin/agent"\nargs = "x"'), /"args" must be an array of strings/],
  [process('path = "usr/bin/agent"\nargs = [1]'), /"args" must be a string, and is 1/],
  [process('path = "usr/bin/agent"\nargs = ["${nothing}"]'), /no variable "nothing"/],
  [process('path = "usr/bin/agent"\nargs = ["${extension_root"]'), /without "}"/],
  [process('path = "usr/bin/agent"\nconfig = "${}"'), /no variable ""/],
  [process('path = "usr/bin/agent"\nenv = { A = 1 }'), /must have strings only/],
  [process('path = "usr/bin/agent"\nenv = { A = "${x}" }'), /no variable "x"/],
  [process('path = "usr/bin/agent"\ntimeout_secs = 6'), /"timeout_secs" must be a string/],
  [process('path = "usr/bin/agent"\ntimeout_secs = "soon"'), /must be a number of seconds in quotes/],
  [process('path = "usr/bin/agent"\noptional_args = [{ args = [] }]'), /without "when"/],
  [process('path = "usr/bin/agent"\noptional_args = [{ when = "x" }]'), /must be an array of strings/],
  [process('[process.variants.other]\npath = "usr/bin/agent"'), /has no variant "default"/],
  [process('select = "b"\n[process.variants.a]\npath = "usr/bin/agent"'), /has no variant "b"/],
  [process('[process.variants.default]\nargs = []'), /variant "default" has no "path"/],
  [process('variants = 1'), /"variants" must be a table/],
  [`schema_version = 1 #${'x'.repeat(300_000)}`, /262144 are the limit/],
  [`schema_version = ${'['.repeat(200_000)}`, /agent would reject: /],
];

for (const [manifest, says] of BAD)
  test(`rejected: ${manifest.slice(0, 60).replaceAll('\n', ' ')}`, async () => {
    const message = await reason(manifest);
    assert.match(message ?? 'accepted', says);
    assert.ok(message!.length < 400 && !message!.includes('\n'), message);
  });

test('"coco" needs the components that the agent looks up', async () => {
  for (const id of ['ocicrypt-config', 'pause-bundle'])
    assert.match((await reason(GOOD.replace(`"${id}"`, '"other"'), 'coco'))!, new RegExp(`must name "${id}"`));
});

test('bytes that are no UTF-8 are an error of the manifest', async () => {
  const tree = extension(undefined);
  tree.writeFile(COMPONENTS, Uint8Array.of(0x73, 0xff, 0xfe));
  await assert.rejects(checkComponents(tree, 'x'), { code: 'EXTENSION_MANIFEST' });
});

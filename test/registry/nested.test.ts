import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { osbuilder } from '../support/cli.ts';
import { ociLayout, writeLayout } from '../support/containers.ts';
import { temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';

/** Indexes inside of indexes: each is copied once, whatever names it, and a tower of them is an error. */

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** A layout whose top is `levels` indexes above an image, each naming the one below `width` times. */
async function tower(folder: string, levels: number, width: number): Promise<string> {
  const files = await ociLayout([{ members: [{ name: 'etc/' }, { name: 'etc/a', data: 'a' }] }]);
  let { manifests } = JSON.parse(Buffer.from(files.get('index.json')!).toString()) as { manifests: object[] };
  for (let level = 0; level < levels; level++) {
    const row = { ...manifests[0]!, annotations: {} };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: Array.from({ length: width }, () => row) }),
    );
    files.set(`blobs/sha256/${sha256(bytes)}`, bytes);
    const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
    manifests = [{ mediaType: INDEX, digest: `sha256:${sha256(bytes)}`, size: bytes.length, annotations }];
  }
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  return writeLayout(join(folder, `tower-${levels}-${width}`), files);
}

test('indexes that name the same one many times are copied in the time of their bytes', async (t) => {
  const folder = temporary(t);
  // 1,000 to the power of six ways lead down
  const layout = await tower(folder, 6, 1000);
  const copied = await osbuilder(['push', `oci-archive:${join(folder, 'copy.tar')}`, `oci:${layout}`], {
    cwd: folder,
  });
  assert.equal(copied.code, 0, copied.stderr);
  const read = await osbuilder(['extract', `oci-archive:${join(folder, 'copy.tar')}`, '-o', 'tree.tar'], {
    cwd: folder,
  });
  assert.equal(read.code, 0, read.stderr);
});

test('indexes nested deeper than any tool makes them are an error, copied and read', async (t) => {
  const folder = temporary(t);
  const layout = await tower(folder, 12, 1);
  for (const args of [
    ['push', `oci-archive:${join(folder, 'copy.tar')}`, `oci:${layout}`],
    ['pull', `oci:${layout}`, '-o', 'out'],
    ['extract', `oci:${layout}`, '-o', 'tree.tar'],
  ]) {
    const result = await osbuilder(args, { cwd: folder });
    assert.match(result.stderr, /\[OCI_MANIFEST_INVALID\]/, args[0]);
    assert.ok(!existsSync(join(folder, 'copy.tar')));
  }
});

test('a file at the place of a layout is left as it is', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'a.tar');
  writeFileSync(path, tar([{ name: 'a', data: 'a' }]));
  const before = readFileSync(path);
  const result = await osbuilder(['push', `oci:${path}`, path], { cwd: folder });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /is no folder.*\[REFERENCE_INVALID\]/);
  assert.deepEqual(readFileSync(path), before);
});

test('an error names a dozen of the images that are there', async (t) => {
  const folder = temporary(t);
  const files = await ociLayout([{ members: [{ name: 'a', data: 'a' }] }]);
  const { manifests } = JSON.parse(Buffer.from(files.get('index.json')!).toString()) as { manifests: object[] };
  const index = {
    ...{ schemaVersion: 2, mediaType: INDEX },
    manifests: Array.from({ length: 4000 }, (_, i) => ({
      ...manifests[0]!,
      annotations: {},
      platform: { os: 'linux', architecture: `a${i}` },
    })),
  };
  const bytes = Buffer.from(JSON.stringify(index));
  files.set(`blobs/sha256/${sha256(bytes)}`, bytes);
  const top = [{ mediaType: INDEX, digest: `sha256:${sha256(bytes)}`, size: bytes.length }];
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: top })));
  const layout = writeLayout(join(folder, 'layout'), files);
  const { stderr } = await osbuilder(['extract', `oci:${layout}`, '-o', 'tree.tar'], { cwd: folder });
  assert.match(stderr, /linux\/a11, 3988 more.*\[PLATFORM_MISSING\]/);
  assert.ok(stderr.length < 1000);
});

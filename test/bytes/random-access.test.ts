import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, type FileContent, memory } from '../../src/bytes/content.ts';
import {
  accessTo,
  fileSlice,
  hostFile,
  inParts,
  type RandomAccess,
  randomAccess,
  section,
} from '../../src/bytes/file.ts';
import { temporary } from '../support/data.ts';

/** Longer than the pieces in which bytes are read, and no multiple of them. */
const BYTES = Buffer.alloc(700_001, 'the bytes of a kernel, a disk or a package. ');

/** Every way to random access, over the same bytes. */
const WAYS: Readonly<Record<string, (path: string, whole: string) => RandomAccess>> = {
  'a file': (path) => randomAccess(path),
  'a part of a file': (_, whole) => randomAccess(whole, 100, BYTES.length),
  'a part of a part': (_, whole) => section(randomAccess(whole, 50), 50, BYTES.length),
  'a file of a tree': (path) => accessTo(hostFile(path)),
  'a part of a file, of a tree': (_, whole) => accessTo(fileSlice(whole, 100, BYTES.length)),
  'a file of a tree in memory': () => accessTo(memory(BYTES)),
  'a file of a tree with holes': (path) => accessTo(holes(hostFile(path))),
  'a file of a tree, for one call': (path) => inParts(hostFile(path), (access) => access),
};

function holes(content: FileContent): FileContent {
  const { size } = content;
  return {
    size,
    open: () => content.open(),
    readSync: () => content.readSync(),
    extents: [{ offset: 0, size }],
  };
}

for (const [way, make] of Object.entries(WAYS))
  test(`random access to ${way}: as a stream, in parts, and never past the end`, async (t) => {
    const folder = temporary(t);
    const [path, whole] = [join(folder, 'file'), join(folder, 'whole')];
    writeFileSync(path, BYTES);
    writeFileSync(whole, Buffer.concat([Buffer.alloc(100, 1), BYTES, Buffer.alloc(100, 2)]));
    const access = make(path, whole);
    assert.equal(access.size, BYTES.length);
    // as often as wanted
    for (let time = 0; time < 2; time++) assert.ok(BYTES.equals(await collect(access.open())));
    assert.ok(BYTES.subarray(1000, 2000).equals(await collect(section(access, 1000, 1000).open())));
    for (const at of [0, 1, 65_535, 262_143, BYTES.length - 300]) {
      const into = new Uint8Array(300);
      access.readAt(at, into);
      assert.ok(BYTES.subarray(at, at + 300).equals(into), String(at));
    }
    for (const at of [-1, BYTES.length - 299, BYTES.length + 1])
      assert.throws(() => access.readAt(at, new Uint8Array(300)), { code: 'CONTENT_SHORT' });
  });

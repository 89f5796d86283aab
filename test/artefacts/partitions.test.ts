import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import type { Event } from '../../src/events/events.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';

/** Disks of several partitions, as sfdisk and mke2fs make them: which one is the root, and what each is called. */

const skip = needs({ tools: ['sfdisk', 'mke2fs'] });
const MIB = 1 << 20;
const ROOT = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709';

function tool(name: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8', input });
  assert.equal(status, 0, `${name} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** A file system of 1 MiB with one file; `what` names it. */
function fileSystem(folder: string, what: string, path: string): Buffer {
  const source = join(folder, `${what}-files`);
  mkdirSync(join(source, path, '..'), { recursive: true });
  writeFileSync(join(source, path), what);
  const file = join(folder, `${what}.fs`);
  tool('mke2fs', ['-q', '-d', source, file, '1M']);
  return readFileSync(file);
}

test('the root of a disk is the partition of that type, else the first that looks like one, with a warning', {
  skip,
}, async (t) => {
  const folder = temporary(t);
  const parts: Record<string, Buffer> = {
    root: fileSystem(folder, 'root', 'etc/which'),
    other: fileSystem(folder, 'other', 'etc/which'),
    boot: fileSystem(folder, 'boot', 'vmlinuz'),
    junk: Buffer.alloc(MIB, 7),
  };
  const disk = (name: string, table: string, places: Readonly<Record<number, string>>) => {
    const path = join(folder, name);
    writeFileSync(path, '');
    truncateSync(path, 32 * MIB);
    tool('sfdisk', ['-q', path], table);
    const fd = openSync(path, 'r+');
    for (const [at, what] of Object.entries(places)) writeSync(fd, parts[what]!, 0, MIB, Number(at) * MIB);
    closeSync(fd);
    return path;
  };
  const line = (at: number, more: string) => `start=${at}MiB,size=1MiB,${more}`;
  const gpt = (...lines: string[]) => ['label: gpt', ...lines].join('\n');
  const dos = (...lines: string[]) => ['label: dos', ...lines].join('\n');
  const cases: [name: string, path: string, read: string | undefined, warned: boolean, from?: string][] = [
    [
      'boot first',
      disk('a', gpt(line(1, 'type=L'), line(2, 'type=L')), { 1: 'boot', 2: 'root' }),
      'root',
      true,
      'partition 2',
    ],
    ['a type', disk('b', gpt(line(1, 'type=L'), line(2, `type=${ROOT}`)), { 1: 'other', 2: 'root' }), 'root', false],
    [
      'two roots',
      disk('c', gpt(line(1, 'type=L'), line(2, 'type=L')), { 1: 'root', 2: 'other' }),
      'root',
      true,
      'partition 1',
    ],
    ['one of two', disk('d', gpt(line(1, 'type=U'), line(2, 'type=L')), { 1: 'junk', 2: 'root' }), 'root', false],
    [
      'only boot',
      disk('e', gpt(line(1, 'type=L'), line(2, 'type=L')), { 1: 'boot', 2: 'junk' }),
      'boot',
      true,
      'partition 1',
    ],
    [
      'Kata',
      disk('f', dos(`${line(1, 'type=83')},bootable`, line(2, 'type=83')), { 1: 'boot', 2: 'junk' }),
      'boot',
      false,
    ],
    [
      'logical',
      disk('g', dos('start=1MiB,size=20MiB,type=5', line(2, 'type=83'), line(4, 'type=83'), line(6, 'type=83')), {
        2: 'boot',
        4: 'junk',
        6: 'root',
      }),
      'root',
      true,
      'partition 7',
    ],
    [
      'numbers',
      disk('h', gpt(`3: ${line(1, 'type=L')}`, `14: ${line(2, 'type=L')}`), { 1: 'boot', 2: 'root' }),
      'root',
      true,
      'partition 14',
    ],
    ['nothing', disk('i', gpt(line(1, 'type=L')), { 1: 'junk' }), undefined, false],
  ];
  for (const [name, path, read, warned, from] of cases) {
    const events: Event[] = [];
    const artefact = await openArtefact(path, { workspace: () => folder, report: (event) => void events.push(event) });
    if (read === undefined) await assert.rejects(artefact.tree(), { code: 'ROOTFS_UNKNOWN' });
    else {
      const tree = await artefact.tree();
      assert.equal(tree.text('etc/which') ?? tree.text('vmlinuz'), read, name);
    }
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event] : []));
    assert.deepEqual(
      warnings.map(({ code }) => code),
      warned ? ['PARTITION_CHOSEN'] : [],
      name,
    );
    if (from !== undefined) assert.match(warnings[0]!.message, new RegExp(`: ${from} is read$`), name);
    // every partition under the number that sfdisk gives it, also where nothing can be read
    const { stdout } = await osbuilder(['inspect', path]);
    const ours = [...stdout.matchAll(/^ {2}partition (\d+): .*start (\d+), size (\d+), (?!type 0xee)/gm)].map(
      ([, number, start, size]) => `${number} ${Number(start) / 512} ${Number(size) / 512}`,
    );
    const { partitiontable } = JSON.parse(tool('sfdisk', ['--json', path])) as {
      partitiontable: { partitions: { node: string; start: number; size: number }[] };
    };
    const theirs = partitiontable.partitions.map(
      ({ node, start, size }) => `${node.slice(path.length)} ${start} ${size}`,
    );
    assert.deepEqual(ours, theirs, `${name}: ${stdout}`);
  }
});

test('a root partition by type that cannot be read is the error that names its file system, not /boot in its place', {
  skip,
}, async (t) => {
  const folder = temporary(t);
  const boot = fileSystem(folder, 'boot', 'vmlinuz');
  const root = fileSystem(folder, 'root', 'etc/which');
  const disk = (name: string, second: string, what: Buffer, third?: Buffer, table?: readonly string[]) => {
    const path = join(folder, name);
    writeFileSync(path, '');
    truncateSync(path, 8 * MIB);
    const more = third === undefined ? [] : [`start=3MiB,size=1MiB,type=${ROOT}`];
    const lines = table ?? ['label: gpt', 'start=1MiB,size=1MiB,type=L', second, ...more];
    tool('sfdisk', ['-q', path], lines.join('\n'));
    const fd = openSync(path, 'r+');
    writeSync(fd, boot, 0, MIB, MIB);
    writeSync(fd, what, 0, what.length, 2 * MIB);
    if (third !== undefined) writeSync(fd, third, 0, MIB, 3 * MIB);
    closeSync(fd);
    return openArtefact(path, { workspace: () => folder });
  };
  const after = (at: number, magic: string) => Buffer.concat([Buffer.alloc(at), Buffer.from(magic, 'latin1')]);
  const typed = `start=2MiB,size=1MiB,type=${ROOT}`;
  for (const [what, bytes] of [
    ['btrfs', after(0x10040, '_BHRfS_M')],
    ['f2fs', after(1024, '\x10\x20\xf5\xf2')],
    ['LUKS', after(0, 'LUKS\xba\xbe')],
    ['no file system that is known', Buffer.alloc(512, 7)],
  ] as const) {
    const artefact = await disk(`${what}.img`, typed, bytes);
    await assert.rejects(artefact.tree(), {
      code: 'ROOTFS_UNKNOWN',
      message: new RegExp(`its root partition \\(partition 2\\) holds ${what},`),
    });
  }
  // another of that type, and one without a type
  const second = await disk('second.img', typed, after(0x10040, '_BHRfS_M'), root);
  assert.equal((await second.tree()).text('etc/which'), 'root');
  const untyped = await disk('untyped.img', 'start=2MiB,size=1MiB,type=L', after(0x10040, '_BHRfS_M'));
  await assert.rejects(untyped.tree(), {
    code: 'ROOTFS_UNKNOWN',
    message: /partition 1 holds none of etc, usr, bin, init, and others cannot be read \(partition 2: btrfs\)/,
  });
  // as an installer without a type for root leaves it; FAT is no root, so that what there is is read
  const installed = ['label: dos', 'start=1MiB,size=1MiB,type=83,bootable', 'start=2MiB,size=1MiB,type=83'];
  for (const [what, at, magic] of [
    ['btrfs', 0x10040, '_BHRfS_M'],
    ['LVM', 536, 'LVM2 001'],
    ['LUKS', 0, 'LUKS\xba\xbe'],
    ['SquashFS', 0, 'hsqs'],
    [undefined, 82, 'FAT32   '],
    [undefined, 0, 'a hash tree'],
  ] as const) {
    const artefact = await disk(`active-${what ?? magic}.img`, '', after(at, magic), undefined, installed);
    if (what === undefined) assert.equal((await artefact.tree()).text('vmlinuz'), 'boot', magic);
    else
      await assert.rejects(artefact.tree(), {
        code: 'ROOTFS_UNKNOWN',
        message: new RegExp(`\\(partition 2: ${what}\\)`),
      });
  }
  const structures = await untyped.structures();
  assert.ok(structures.some((one) => one.what === 'partition 2: no file system that can be read (btrfs)'));
});

test('what another program can change into something that is read is named, with that program', async (t) => {
  const folder = temporary(t);
  for (const [magic, says] of [
    ['QFI\xfb\x00\x00\x00\x03', /qcow2.*qemu-img convert -O raw/],
    ['hsqs', /SquashFS.*unsquashfs/],
    ['PK\x03\x04', /ZIP.*unzip/],
    ['nothing known', undefined],
  ] as const) {
    const path = join(folder, 'given.img');
    writeFileSync(path, Buffer.concat([Buffer.from(magic, 'latin1'), Buffer.alloc(9000)]));
    for (const args of [
      ['inspect', path],
      ['extract', path, '-o', join(folder, 'o.tar')],
      ['initrd', path, '--rootfs-only', '-o', join(folder, 'i')],
    ]) {
      const { code, stdout } = await osbuilder([...args, '--json']);
      const { error } = JSON.parse(stdout);
      assert.deepEqual([code, error.code], [1, 'ROOTFS_UNKNOWN'], args.join(' '));
      if (says === undefined) assert.equal(error.hint, null);
      else assert.match(error.hint, says);
    }
  }
});

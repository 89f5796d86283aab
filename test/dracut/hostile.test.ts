import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inParts } from '../../src/bytes/file.ts';
import { BuildError } from '../../src/errors/error.ts';
import { lazyTree } from '../../src/tree/lazy.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import { elfFile } from '../support/elves.ts';
import { type MadeModule, madeModule } from '../support/modules.ts';
import { program, SYSTEM } from '../support/systems.ts';

/** Systems that are made to mislead: each ends in a clear error or in a correct guest, and soon. */

/** Nothing here takes seconds; a row that never ends is ended by this. */
const HANG = 300_000;
const RELEASE = '6.1.0-test';
const MODULES = `usr/lib/modules/${RELEASE}`;

/** A system in a folder, and ways to make it hostile. */
class HostileSystem {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    for (const [path, what] of Object.entries(SYSTEM))
      if (typeof what === 'string' && what.startsWith('->')) this.link(path, what.slice(2));
      else this.write(path, typeof what === 'string' ? what : elfFile(what));
    this.module('fs/one', { needs: ['of_two'] });
    this.module('lib/two', { exports: ['of_two'] });
    this.write(`${MODULES}/modules.builtin`, '');
  }

  private place(path: string): string {
    const at = join(this.root, path);
    mkdirSync(dirname(at), { recursive: true });
    rmSync(at, { force: true, recursive: true });
    return at;
  }

  write(path: string, what: string | Uint8Array): void {
    writeFileSync(this.place(path), what, { mode: 0o755 });
  }

  link(path: string, target: string): void {
    symlinkSync(target, this.place(path));
  }

  module(name: string, made: MadeModule, change: (bytes: Buffer) => void = () => {}): void {
    const bytes = madeModule(made);
    change(bytes);
    this.write(`${MODULES}/kernel/${name}.ko`, bytes);
  }

  fifo(path: string): void {
    execFileSync('mkfifo', [this.place(path)]);
  }

  device(path: string): void {
    execFileSync('mknod', [this.place(path), 'c', '1', '5']);
  }

  async socket(path: string, t: Pick<TestContext, 'after'>): Promise<void> {
    const at = this.place(path);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at, resolve));
    // closing it removes the socket, so it stays open while the guest is made
    t.after(() => void server.close());
  }
}

interface Row {
  readonly name: string;
  make(system: HostileSystem, t: TestContext): void | Promise<void>;
  /** dracut's options, in one word. */
  readonly options?: string;
  /** With the kernel's modules. */
  readonly kernel?: boolean;
  /** Code and text of the error; without one a guest is made. */
  readonly code?: string;
  readonly says?: RegExp;
  /** Codes of warnings that are given, among others. */
  readonly warns?: readonly string[];
  /** Paths that the guest has, or with `!` has not. */
  readonly has?: readonly string[];
  readonly skip?: string | false;
}

const LONG = 'x'.repeat(1 << 20);
/** Offsets in a 64-bit ELF header. */
const [E_PHOFF, E_SHOFF, E_PHNUM, E_SHNUM, E_SHSTRNDX] = [32, 40, 56, 60, 62];

/** A program with a changed header. */
function wild(change: (bytes: Buffer) => void, facts = program()): Buffer {
  const bytes = Buffer.from(elfFile(facts));
  change(bytes);
  return bytes;
}

/** A module with one section's header changed. */
function lyingSection(name: string, field: 'offset' | 'size', value: bigint): (bytes: Buffer) => void {
  return (bytes) => {
    const table = Number(bytes.readBigUInt64LE(E_SHOFF));
    const count = bytes.readUInt16LE(E_SHNUM);
    const names = Number(bytes.readBigUInt64LE(table + 64 * bytes.readUInt16LE(E_SHSTRNDX) + 24));
    for (let i = 1; i < count; i++) {
      const at = table + 64 * i;
      const nameAt = names + bytes.readUInt32LE(at);
      if (bytes.toString('latin1', nameAt, bytes.indexOf(0, nameAt)) === name)
        bytes.writeBigUInt64LE(value, at + (field === 'offset' ? 24 : 32));
    }
  };
}

const TOOL = '--install /usr/bin/tool';
const program64 = (name: string, change: (bytes: Buffer) => void): Row => ({
  name: `a program: ${name}`,
  make: (system) => system.write('usr/bin/tool', wild(change)),
  options: TOOL,
  has: ['usr/bin/tool'],
});
const module64 = (name: string, made: MadeModule, change?: (bytes: Buffer) => void): Row => ({
  name: `a module: ${name}`,
  make: (system) => system.module('fs/odd', made, change),
  kernel: true,
  warns: ['MODULE_UNREADABLE'],
  has: [`${MODULES}/kernel/fs/one.ko`, `${MODULES}/modules.dep`],
});

const ROWS: readonly Row[] = [
  // links
  {
    name: 'links in a circle',
    make(system) {
      system.link('etc/a', 'b');
      system.link('etc/b', 'a');
    },
    options: '--install /etc/a',
    code: 'PATH_LOOP',
    says: /etc\/a/,
  },
  {
    name: 'a link to itself',
    make: (system) => system.link('etc/a', 'a'),
    options: '--install /etc/a',
    code: 'PATH_LOOP',
  },
  {
    name: 'a chain of sixty links',
    make(system) {
      for (let i = 0; i < 60; i++) system.link(`etc/l${i}`, `l${i + 1}`);
      system.write('etc/l60', '');
    },
    options: '--install /etc/l0',
    code: 'PATH_LOOP',
  },
  {
    name: 'links that lead out of the system: they end inside it',
    make(system) {
      system.link('etc/out', '../../../../../../../../etc/os-release');
      system.link('etc/absolute', '/etc/os-release');
    },
    options: '--install "/etc/out /etc/absolute"',
    has: ['etc/out', 'etc/absolute', 'etc/os-release'],
  },
  {
    name: 'a link to a file that only the machine has',
    make: (system) => system.link('etc/out', '../../../../../../../../proc/self/environ'),
    options: '--install /etc/out',
    code: 'SYSROOT_FILE_MISSING',
  },
  {
    name: 'a pattern through links to their own folder',
    make(system) {
      for (const name of ['a', 'b', 'c']) system.link(`srv/loop/${name}`, '.');
    },
    options: `--install /srv/loop${'/*'.repeat(40)}`,
    code: 'PATH_LOOP',
  },
  {
    name: 'modules through links to their own folder',
    make(system) {
      for (const name of ['a', 'b', 'c']) system.link(`${MODULES}/kernel/${name}`, '.');
    },
    kernel: true,
    code: 'PATH_LOOP',
  },

  // what is no file
  ...(
    [
      ['etc/pipe', 'SYSROOT_SPECIAL'],
      ['usr/bin/udevadm', 'DRACUT_MODULE_UNFIT'],
      ['usr/lib/systemd/systemd', 'ROOTFS_UNFIT'],
      ['usr/lib/x86_64-linux-gnu/libc.so.6', 'SYSROOT_FILE_MISSING'],
    ] as const
  ).map(
    ([path, code]): Row => ({
      name: `a fifo at ${path}`,
      make: (system) => system.fifo(path),
      ...(path === 'etc/pipe' ? { options: '--install /etc/pipe' } : {}),
      code,
    }),
  ),
  ...['etc/passwd', 'etc/os-release', 'etc/ld.so.conf', 'etc/ld.so.cache', `${MODULES}/modules.order`].map(
    (path): Row => ({
      name: `a fifo at ${path}`,
      make: (system) => system.fifo(path),
      kernel: true,
      has: ['etc/machine-id'],
    }),
  ),
  {
    name: 'a fifo as a module',
    make: (system) => system.fifo(`${MODULES}/kernel/fs/odd.ko`),
    kernel: true,
    has: [`${MODULES}/kernel/fs/one.ko`, `!${MODULES}/kernel/fs/odd.ko`],
  },
  {
    name: 'a socket',
    make: async (system, t) => system.socket('etc/socket', t),
    options: '--install /etc/socket',
    code: 'SYSROOT_SPECIAL',
    says: /socket/,
  },
  {
    name: 'an optional socket',
    make: async (system, t) => system.socket('etc/socket', t),
    options: '--install-optional /etc/socket',
    warns: ['SYSROOT_LEFT_OUT'],
    has: ['!etc/socket'],
  },
  {
    name: 'a device',
    make: (system) => system.device('etc/zero'),
    options: '--install /etc/zero',
    code: 'SYSROOT_SPECIAL',
    skip: process.getuid?.() === 0 ? false : 'not available: root',
  },
  {
    name: 'a folder as a program',
    make: (system) => system.write('usr/bin/tool/x', ''),
    options: TOOL,
    has: ['usr/bin/tool'],
  },

  // programs
  program64('its table of segments is outside', (bytes) => void bytes.writeBigUInt64LE(1n << 62n, E_PHOFF)),
  program64('65535 segments', (bytes) => void bytes.writeUInt16LE(65535, E_PHNUM)),
  program64('its sections are outside', (bytes) => void bytes.writeBigUInt64LE((1n << 64n) - 1n, E_SHOFF)),
  program64('65535 sections', (bytes) => void bytes.writeUInt16LE(65535, E_SHNUM)),
  program64('every field of its segments has all bits', (bytes) => void bytes.fill(0xff, 64, 64 + 3 * 56)),
  program64('its dynamic section has all bits', (bytes) => {
    const at = Number(bytes.readBigUInt64LE(64 + 56 + 8));
    bytes.fill(0xff, at, bytes.length);
  }),
  {
    name: 'a program that needs itself, and its own interpreter',
    make(system) {
      system.write('usr/lib/x86_64-linux-gnu/libself.so', elfFile({ soname: 'libself.so', needed: ['libself.so'] }));
      system.write('usr/bin/tool', elfFile({ interpreter: '/usr/bin/tool', needed: ['libself.so'] }));
    },
    options: TOOL,
    has: ['usr/bin/tool', 'usr/lib/x86_64-linux-gnu/libself.so'],
  },
  {
    name: 'a program with notes that are no JSON, or nested without end',
    make: (system) => system.write('usr/bin/tool', elfFile({ ...program(), notes: ['[{', '['.repeat(100_000), LONG] })),
    options: TOOL,
    has: ['usr/bin/tool'],
  },
  {
    name: 'a program that needs a library by a path out of the system',
    make: (system) => system.write('usr/bin/tool', elfFile(program('../../../../../../etc/shadow'))),
    options: TOOL,
    code: 'SYSROOT_FILE_MISSING',
  },
  {
    name: 'a script that is its own interpreter',
    make: (system) => system.write('usr/bin/tool', '#!/usr/bin/tool\n'),
    options: TOOL,
    has: ['usr/bin/tool'],
  },
  {
    name: 'a script with an interpreter of a million letters',
    make: (system) => system.write('usr/bin/tool', `#!/${LONG}\n`),
    options: TOOL,
    code: 'SYSROOT_FILE_MISSING',
  },
  {
    name: 'ld.so.conf that includes itself',
    make: (system) => system.write('etc/ld.so.conf', 'include /etc/ld.so.conf\ninclude ld.so.*\n'.repeat(100)),
    has: ['etc/ld.so.conf'],
  },
  {
    name: 'accounts and rules of a million letters',
    make(system) {
      system.write('etc/passwd', `${LONG}:x:0\nroot:${LONG}`);
      system.write('usr/lib/udev/rules.d/50-udev-default.rules', `PROGRAM="${LONG}", RUN+="../../../../etc/shadow"\n`);
    },
    has: ['etc/passwd', '!etc/shadow'],
  },

  // modules
  module64('.modinfo is outside', {}, lyingSection('.modinfo', 'offset', 1n << 40n)),
  module64('.modinfo has 2^63 bytes', {}, lyingSection('.modinfo', 'size', 1n << 63n)),
  module64('its symbols are outside', { needs: ['a'] }, lyingSection('.symtab', 'offset', (1n << 64n) - 8n)),
  module64('a symbol has its name outside', { needs: ['a'] }, lyingSection('.strtab', 'size', 1n)),
  module64('65535 sections', {}, (bytes) => void bytes.writeUInt16LE(65535, E_SHNUM)),
  module64('its table of sections is outside', {}, (bytes) => void bytes.writeBigUInt64LE(1n << 62n, E_SHOFF)),
  {
    name: 'thousands of symbols with one name of a million letters',
    make: (system) => system.write(`${MODULES}/kernel/fs/odd.ko`, sharedNames()),
    kernel: true,
    warns: ['MODULE_UNREADABLE'],
    has: [`${MODULES}/kernel/fs/one.ko`],
  },
  {
    name: 'a module that is a bomb',
    make: (system) => system.write(`${MODULES}/kernel/fs/odd.ko.gz`, gzipSync(Buffer.alloc(300 << 20))),
    kernel: true,
    warns: ['MODULE_UNREADABLE'],
    has: [`${MODULES}/kernel/fs/one.ko`],
  },
  {
    name: 'modules that need each other',
    make(system) {
      system.module('fs/a', { exports: ['of_a'], needs: ['of_b'] });
      system.module('fs/b', { exports: ['of_b'], needs: ['of_a'] });
    },
    kernel: true,
    code: 'MODULE_CYCLE',
  },
  {
    name: 'modules that ask for each other, for themselves, and for firmware out of its folder',
    make(system) {
      system.module('fs/one', {
        needs: ['of_two'],
        info: ['softdep=pre: one two post: one', 'firmware=../../../etc/shadow'],
      });
      system.module('lib/two', { exports: ['of_two'], info: ['softdep=pre: one', 'firmware=**', 'weakdep=one'] });
      system.write('etc/shadow', 'secret');
    },
    kernel: true,
    has: [`${MODULES}/kernel/fs/one.ko`, '!etc/shadow'],
  },
  {
    name: 'modprobe.d and modules.order of a million words',
    make(system) {
      system.write('etc/modprobe.d/x.conf', `softdep one pre: ${'one '.repeat(200_000)}\nalias ${LONG} one\n`);
      system.write(`${MODULES}/modules.order`, 'kernel/fs/one.ko\n'.repeat(100_000));
    },
    kernel: true,
    has: [`${MODULES}/kernel/fs/one.ko`],
  },
];

/** A module of 8000 undefined symbols that all have the same name of 2^20 letters: 8 GB if each were read. */
function sharedNames(): Buffer {
  const needs = [LONG, ...Array.from({ length: 8000 }, (_, i) => `s${i}`)];
  const bytes = madeModule({ needs });
  const table = Number(bytes.readBigUInt64LE(E_SHOFF));
  const at = (i: number, field: number) => Number(bytes.readBigUInt64LE(table + 64 * i + field));
  for (let i = 1; i < bytes.readUInt16LE(E_SHNUM); i++) {
    if (bytes.readUInt32LE(table + 64 * i + 4) !== 2) continue;
    const symbols = at(i, 24);
    const first = bytes.readUInt32LE(symbols + 24);
    for (let from = symbols + 24; from < symbols + at(i, 32); from += 24) bytes.writeUInt32LE(first, from);
  }
  return bytes;
}

interface Document {
  readonly warnings?: readonly { readonly code: string; readonly message: string }[];
  readonly error?: { readonly code: string; readonly message: string };
}

const skip = needs({ tools: ['mkfifo', 'mknod'] });

for (const row of ROWS)
  test(row.name, { skip: skip || (row.skip ?? false), timeout: HANG }, async (t) => {
    const folder = temporary(t);
    const system = new HostileSystem(join(folder, 'system'));
    await row.make(system, t);
    const output = join(folder, 'out.img');
    const args = [
      'initrd',
      '--build-method',
      'dracut',
      '--sysroot',
      system.root,
      '--agent',
      'demo',
      '--compress',
      'none',
    ];
    const kernel = row.kernel === true ? ['--dracut-kversion', RELEASE, '--drivers', 'one'] : [];
    const options = row.options === undefined ? [] : [`--dracut-options=${row.options}`];
    const { code, stdout, stderr } = await osbuilder([...args, ...kernel, ...options, '--json', '-o', output]);
    assert.notEqual(stdout, '', stderr);
    const document = JSON.parse(stdout) as Document;
    assert.equal(document.error?.code, row.code, document.error?.message);
    assert.equal(code, row.code === undefined ? 0 : 1);
    if (row.says !== undefined) assert.match(document.error!.message, row.says);
    const warnings = (document.warnings ?? []).map((one) => one.code);
    for (const wanted of row.warns ?? []) assert.ok(warnings.includes(wanted), JSON.stringify(document.warnings));
    if (row.has === undefined) return;
    const listed = await osbuilder(['inspect', output, '--list']);
    assert.equal(listed.code, 0, listed.stderr);
    const names = new Set(listed.stdout.split('\n').flatMap((line) => line.split(/\s+/)));
    for (const path of row.has)
      if (path.startsWith('!')) assert.ok(!names.has(path.slice(1)), `${path} is there`);
      else assert.ok(names.has(path), `${path} is not there`);
  });

/** What happens to a file between the moment when it is listed and that when it is read. */
const CHANGES: readonly (readonly [name: string, change: (path: string) => void])[] = [
  ['it grows', (path) => appendFileSync(path, 'more')],
  ['it shrinks', (path) => truncateSync(path, 3)],
  ['it is emptied', (path) => truncateSync(path, 0)],
  ['it is removed', (path) => rmSync(path)],
  [
    'it becomes a link to a file of the machine',
    (path) => {
      rmSync(path);
      symlinkSync('/etc/passwd', path);
    },
  ],
  [
    'it becomes a fifo',
    (path) => {
      rmSync(path);
      execFileSync('mkfifo', [path]);
    },
  ],
  [
    'it becomes a folder',
    (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  ],
  [
    'another file takes its name',
    (path) => {
      writeFileSync(`${path}.new`, 'of another size');
      renameSync(`${path}.new`, path);
    },
  ],
];

for (const [name, change] of CHANGES)
  test(`a file that changes: ${name}`, { skip, timeout: HANG }, (t) => {
    const root = temporary(t);
    const path = join(root, 'file');
    for (const read of ['whole', 'in parts'] as const) {
      rmSync(path, { recursive: true, force: true });
      writeFileSync(path, 'what was listed');
      chmodSync(path, 0o644);
      // one of several sizes, so that the new one is another
      appendFileSync(path, ' and a little more');
      const { content } = lazyTree(root, new Set()).file('file')!;
      change(path);
      assert.throws(
        () =>
          read === 'whole'
            ? content.readSync()
            : inParts(content, (access) => access.readAt(access.size - 4, new Uint8Array(4))),
        (error) =>
          error instanceof BuildError && ['CONTENT_SIZE', 'READ_FAILED', 'SYSROOT_CHANGED'].includes(error.code),
        `${name}, read ${read}`,
      );
    }
  });

test('a file that has no size and many bytes, as those of /proc', {
  skip: process.platform === 'linux' ? false : 'not available: /proc',
}, () => {
  const { content } = lazyTree('/proc/self', new Set()).file('status')!;
  assert.equal(content.size, 0);
  assert.throws(() => content.readSync(), { code: 'CONTENT_SIZE' });
});

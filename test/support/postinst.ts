import { memory } from '../../src/bytes/content.ts';
import { silent, type Warning } from '../../src/events/events.ts';
import { debianContext } from '../../src/families/apt/architecture.ts';
import { type Configured, configure } from '../../src/families/apt/configure.ts';
import type { AptPackage } from '../../src/families/apt/package.ts';
import type { Unpacked } from '../../src/fetch/package.ts';
import { Tree } from '../../src/tree/tree.ts';

/** A package as it is when unpacked: its control files, and files with their text. */
export interface Made {
  readonly name: string;
  readonly depends?: string;
  readonly control?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

/** An unpacked package of our own making. */
export function unpackedPackage({ name, depends = '', control = {}, files = {} }: Made): Unpacked<AptPackage> {
  return {
    package: {
      name,
      version: '1.0-1',
      architecture: 'all',
      essential: false,
      priority: 'optional',
      depends,
      preDepends: '',
      provides: '',
      replaces: '',
      multiArch: 'no',
    } as unknown as AptPackage,
    control: new Map(
      Object.entries({ control: `Package: ${name}\nVersion: 1.0-1\nArchitecture: all\n`, ...control }).map(
        ([member, text]) => [member, { mode: 0o755, content: memory(Buffer.from(text)) }],
      ),
    ),
    entries: Object.entries(files).map(([path, text]) => ({
      path: `./${path}`,
      // scripts can be run, as those of packages can
      inode: {
        kind: 'file',
        mode: text.startsWith('#!') ? 0o755 : 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
        content: memory(Buffer.from(text)),
      },
    })),
  };
}

/** A tree with the accounts and folders that scripts count on. */
export function smallSystem(files: Readonly<Record<string, string>> = {}): Tree {
  const tree = new Tree();
  for (const path of ['etc', 'tmp', 'usr/bin', 'usr/sbin', 'usr/lib', 'var/lib/dpkg/alternatives', 'var/lib/dpkg/info'])
    tree.makeDirectory(path);
  for (const path of ['bin', 'sbin', 'lib']) tree.symlink(path, `usr/${path}`);
  const accounts = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
    'etc/group': 'root:x:0:\nadm:x:4:\n',
    'etc/shadow': 'root:*:1::::::\n',
    'etc/gshadow': 'root:*::\n',
  };
  for (const [path, text] of Object.entries({ ...accounts, ...files })) tree.writeFile(path, text);
  return tree;
}

/** Installs packages onto a small system; what came of it and what was warned of. */
export function installed(
  packages: readonly Made[],
  tree: Tree = smallSystem(),
  options: { readonly strict?: boolean; readonly preseed?: ReadonlyMap<string, string> } = {},
): Configured & { readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = [];
  const configured = configure(
    packages.map(unpackedPackage),
    {
      ...debianContext({
        architecture: 'amd64',
        epoch: 1_700_000_000,
        report: (event) => (event.kind === 'warning' ? void warnings.push(event) : silent(event)),
      }),
      ...options,
    },
    tree,
  );
  return { ...configured, warnings };
}

import { gzipSync } from 'node:zlib';
import type { AbstractPackage } from './family-repository.ts';
import { bzImage, vmlinux } from './kernels.ts';
import { type MadeModule, madeModule } from './modules.ts';

/** As `uname -r` says it. */
export const RELEASE = '6.6.6-made';
/** The kernel, not compressed, and as packages have it. */
export const PLAIN = vmlinux();
export const KERNEL = bzImage(gzipSync(PLAIN), PLAIN.length, `${RELEASE} (me@here)`, true);

/** Its modules by path. */
export const MODULES: Readonly<Record<string, MadeModule>> = {
  'kernel/drivers/net/virtio_net.ko': { needs: ['failover'] },
  'kernel/net/core/failover.ko': { exports: ['failover'], info: ['license=GPL', 'firmware=fail/over.bin'] },
  'kernel/drivers/other.ko': {},
};

/** What one family calls them, and where it puts them. */
export interface Names {
  readonly asked: string;
  /** Package of the modules, of the kernel, and one that is not a part of it. */
  readonly modules: string;
  readonly kernel: string;
  readonly tools: string;
  readonly kernelPath: string;
  readonly lib: string;
  /** Package that leads to the kernel and to its modules; without it the kernel leads to its modules. */
  readonly whole?: string;
  /** Package of the lists of modules; without it that of the modules. */
  readonly lists?: string;
}

/** By family: the names of each distribution that splits a kernel in a way of its own. */
export const NAMES: Readonly<Record<string, readonly Names[]>> = {
  apt: [
    {
      asked: 'linux-image-generic',
      kernel: `linux-image-${RELEASE}`,
      modules: `linux-modules-${RELEASE}`,
      tools: 'initramfs-tools',
      kernelPath: `boot/vmlinuz-${RELEASE}`,
      lib: 'lib',
    },
    // Debian from Linux 7 on
    {
      asked: 'linux-image-cloud-amd64',
      whole: `linux-image-${RELEASE}`,
      kernel: `linux-binary-${RELEASE}`,
      modules: `linux-modules-${RELEASE}`,
      lists: `linux-base-${RELEASE}`,
      tools: 'linux-base',
      kernelPath: `usr/lib/modules/${RELEASE}/vmlinuz`,
      lib: 'usr/lib',
    },
  ],
  apk: [
    {
      asked: 'linux-virt',
      kernel: 'linux-virt',
      modules: 'linux-virt',
      tools: 'mkinitfs',
      kernelPath: 'boot/vmlinuz-virt',
      lib: 'lib',
    },
  ],
  rpm: [
    {
      asked: 'kernel',
      kernel: 'kernel-core',
      modules: 'kernel-modules-core',
      tools: 'dracut',
      kernelPath: `usr/lib/modules/${RELEASE}/vmlinuz`,
      lib: 'usr/lib',
    },
  ],
};

const UVM = 'usr/share/cloud-hypervisor/vmlinux.bin';

function folders(path: string): { name: string }[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => ({ name: `${parts.slice(0, i + 1).join('/')}/` }));
}

/** A kernel with its modules in packages of a family, a base, and a package that a kernel needs. */
export function kernelPackages(names: Names): AbstractPackage[] {
  const { asked, kernel, modules, tools, kernelPath, lib, whole, lists = modules } = names;
  const files = new Map<string, { name: string; data?: string | Buffer; mode?: number }[]>();
  const add = (owner: string, name: string, data: string | Buffer) => {
    const list = files.get(owner) ?? [];
    for (const folder of folders(name)) if (!list.some((one) => one.name === folder.name)) list.push(folder);
    list.push({ name, data });
    files.set(owner, list);
  };
  add(kernel, kernelPath, KERNEL);
  const top = `${lib}/modules/${RELEASE}`;
  // packaged compressed: rpmbuild rejects ELF files in packages for all architectures
  for (const [path, made] of Object.entries(MODULES)) add(modules, `${top}/${path}.gz`, gzipSync(madeModule(made)));
  add(lists, `${top}/modules.builtin`, 'kernel/fs/overlayfs/overlay.ko\n');
  add(
    lists,
    `${top}/modules.order`,
    Object.keys(MODULES)
      .map((path) => `${path}\n`)
      .join(''),
  );
  const depends: Record<string, string[]> = { [asked]: [tools] };
  const need = (one: string, other: string) => {
    if (one !== other) depends[one] = [...(depends[one] ?? []), other];
  };
  need(asked, whole ?? kernel);
  if (whole !== undefined) need(whole, kernel);
  need(whole ?? kernel, modules);
  need(modules, lists);
  return [
    {
      name: 'base',
      files: [
        ...['etc/', 'usr/', 'usr/bin/', 'usr/lib/'].map((name) => ({ name })),
        { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
        { name: 'etc/group', data: 'root:x:0:\n' },
      ],
    },
    // a kernel that has built in all that its hypervisor offers, as kernel-uvm of Azure Linux
    { name: 'kernel-uvm', files: [...folders(UVM), { name: UVM, data: PLAIN }] },
    { name: tools, files: [...folders('usr/share/tools'), { name: 'usr/share/tools', data: 'not wanted' }] },
    ...[...new Set([asked, whole ?? kernel, kernel, modules, lists])].map((name) => ({
      name,
      ...(depends[name] === undefined ? {} : { depends: depends[name] }),
      files: files.get(name) ?? [],
    })),
  ];
}

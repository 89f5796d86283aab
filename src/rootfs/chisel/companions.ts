import type { Missing } from '../../system/closure.ts';
import { elfOf } from '../../system/elfs.ts';
import { basename } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { matching } from './match.ts';

/** Programs and plug-ins that a program opens by path, so that nothing in its file names them as needed. */
const COMPANIONS: readonly (readonly [program: RegExp, patterns: readonly string[]])[] = [
  [/\/systemd\/systemd$/, ['systemd-executor', 'systemd-shutdown'].map((name) => `/usr/lib/systemd/${name}`)],
  [/\/xtables-(nft|legacy)-multi$/, ['/usr/lib*/xtables/*.so', '/usr/lib/*/xtables/*.so', '/etc/ethertypes']],
  [/\/dbus-daemon$/, ['/usr/share/dbus-1/*.conf', '/usr/lib*/dbus-1.0/dbus-daemon-launch-helper']],
  [/\/kmod$/, ['/etc/modprobe.d/**', '/usr/lib/modprobe.d/**']],
  // a converter of character sets is found by the lists beside it
  [
    /\/gconv\/[^/]+\.so$/,
    ['/usr/lib*/gconv/gconv-modules*', '/usr/lib/*/gconv/gconv-modules*', '/usr/lib/*/gconv/gconv-modules.d/*'],
  ],
  [/\/security\/pam_unix\.so$/, ['/usr/sbin/unix_chkpwd', '/usr/sbin/unix_update']],
  [/\/security\/pam_env\.so$/, ['/etc/environment']],
];

/** What belongs to one kept path. */
export interface Companions {
  readonly paths: readonly string[];
  readonly missing: readonly Missing[];
}

const NOTHING: Companions = { paths: [], missing: [] };

/** What the file at `path` opens by itself. `program`: it is no library that another one loads. */
export function companionsOf(tree: Tree, path: string, program: boolean): Companions {
  if (basename(path) === 'libc.so.6') return { paths: nameServices(tree, path), missing: [] };
  if (!program) return NOTHING;
  const paths = COMPANIONS.flatMap(([wanted, patterns]) =>
    wanted.test(`/${path}`) ? patterns.flatMap((pattern) => matching(tree, pattern)) : [],
  );
  const module = /\/security\/pam_([^/]+)\.so$/.exec(`/${path}`)?.[1];
  if (module !== undefined)
    for (const pattern of [`pam_${module}.conf`, `${module}.conf`, `${module}.d/*`])
      paths.push(...matching(tree, `/etc/security/${pattern}`));
  const file = tree.file(path);
  if (file === undefined || elfOf(file)?.needed.includes('libpam.so.0') !== true) return { paths, missing: [] };
  const stack = pamStack(tree, basename(path), path);
  return { paths: [...paths, ...stack.paths], missing: stack.missing };
}

/** Plug-ins of the C library for the services that /etc/nsswitch.conf names (nsswitch.conf(5)). */
function nameServices(tree: Tree, libc: string): string[] {
  const names = new Set<string>();
  for (const line of (tree.text('etc/nsswitch.conf') ?? '').split('\n'))
    for (const word of line
      .replace(/#.*/, '')
      .replace(/^[^:]*:?/, '')
      .replace(/\[[^\]]*\]/g, ' ')
      .split(/\s+/))
      if (/^[a-z][a-z0-9_]*$/.test(word)) names.add(word);
  if (names.size === 0) return [];
  const bytes = tree.file(libc)!.content.readSync();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // since glibc 2.34 it has `files` and `dns` in it
  return [...names]
    .filter((name) => !text.includes(`_nss_${name}_`))
    .flatMap((name) => ['/usr/lib*', '/usr/lib/*', '/lib*', '/lib/*'].map((folder) => `${folder}/libnss_${name}.so.2`))
    .flatMap((pattern) => matching(tree, pattern));
}

const STACKS = ['etc/pam.d', 'usr/lib/pam.d', 'usr/etc/pam.d'];
const MODULES = ['/usr/lib*/security', '/usr/lib/*/security', '/lib*/security', '/lib/*/security'];
const WORD = /\[[^\]]*\]|\S+/g;

/** The stack of a service of PAM, all that it includes, and its modules (pam.conf(5)). */
function pamStack(tree: Tree, service: string, by: string): Companions {
  const files = new Set<string>();
  const modules = new Map<string, boolean>();
  const read = (name: string): void => {
    const path = STACKS.map((folder) => `${folder}/${name}`).find((one) => tree.file(one) !== undefined);
    if (path === undefined || files.has(path)) return;
    files.add(path);
    for (const line of tree.text(path)!.replaceAll('\\\n', ' ').split('\n')) {
      const [type = '', control = '', module = ''] = line.replace(/#.*/, '').match(WORD) ?? [];
      if (type === '@include') read(control);
      else if (control === 'include' || control === 'substack') read(module);
      // a dash: it may be missing
      else if (module !== '') modules.set(module, (modules.get(module) ?? true) && type.startsWith('-'));
    }
  };
  if (!service.includes('/')) read(service);
  const paths = [...files];
  const missing: Missing[] = [];
  for (const [name, optional] of modules) {
    const found = name.startsWith('/')
      ? matching(tree, name)
      : MODULES.flatMap((folder) => matching(tree, `${folder}/${name}`));
    paths.push(...found);
    if (found.length === 0) missing.push({ name, reason: { kind: 'needed', by }, optional });
  }
  return { paths, missing };
}

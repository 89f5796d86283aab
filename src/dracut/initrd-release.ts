import type { Gathering } from './gather.ts';
import type { DracutOf } from './generation.ts';

/** Writes what says that this is an initrd of dracut's, from the system's os-release; and links to it. */
export function initrdRelease({ gathering, dracut }: { gathering: Gathering; dracut: DracutOf }): void {
  const version = dracut.version;
  // without dracut in the system there is nothing of it in the guest
  if (version === undefined) return;
  const own = ['NAME=dracut', 'ID=dracut', `VERSION_ID="${version}"`, 'ANSI_COLOR="0;34"'];
  gathering.text(`lib/dracut/dracut-${version}`, `dracut-${version}\n`);
  if (dracut.generation === '106') {
    gathering.text('usr/lib/initrd-release', `${own.join('\n')}\n`);
    return;
  }
  const text = gathering.sysroot.text('etc/os-release');
  const lines = text?.split('\n').filter((line) => line !== '' && !/^(?:VERSION=|PRETTY_NAME)/.test(line)) ?? own;
  const value = (name: string) => {
    const found = new RegExp(`^${name}=["']?([^"'\n]*)`, 'm').exec(text ?? '')?.[1] ?? '';
    return found === '' ? '' : `${found} `;
  };
  lines.push(
    `VERSION="${value('VERSION')}dracut-${version}"`,
    `PRETTY_NAME="${value('PRETTY_NAME')}dracut-${version} (Initramfs)"`,
    `DRACUT_VERSION="${version}"`,
  );
  gathering.text('usr/lib/initrd-release', `${lines.join('\n')}\n`);
  gathering.link('etc/initrd-release', '../usr/lib/initrd-release');
  gathering.link('usr/lib/os-release', 'initrd-release');
  gathering.link('etc/os-release', 'initrd-release');
}

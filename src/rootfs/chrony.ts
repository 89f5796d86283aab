import type { Tree } from '../tree/tree.ts';
import { type Guest, ours } from './guest.ts';
import { UNITS } from './units.ts';

const CLOCK = ['refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0', 'makestep 1 -1'];

/**
 * Makes chrony follow the host's clock through the PTP device of KVM, step whenever it is off (a VM that was paused
 * resumes in the past), and use no server: the guest has no network of its own.
 */
export function setUpChrony(tree: Tree, guest: Guest): void {
  const config = tree.text(guest.chrony.config);
  if (config !== undefined) tree.writeFile(guest.chrony.config, chronyConfig(config), ours(guest, 0o644));
  for (const path of [`${UNITS}/${guest.chrony.unit}`, `etc/systemd/system/${guest.chrony.unit}`]) {
    const inode = tree.lstat(path);
    if (inode?.kind === 'file') tree.writeFile(path, chronyUnit(tree.text(path)!), ours(guest, 0o644));
  }
}

/** The configuration with the reference clock added and every time server commented out. */
export function chronyConfig(text: string): string {
  const lines = text.replace(/^(server|pool|peer)(?=\s)/gm, '# $1').replace(/\n*$/, '\n');
  const missing = CLOCK.filter((line) => !lines.split('\n').includes(line));
  return lines + missing.map((line) => `${line}\n`).join('');
}

/** The unit: run as root, only if the clock exists, and without folders that a read-only guest cannot have. */
export function chronyUnit(text: string): string {
  let unit = text
    .replace(/^(ExecStart=.*?)\s+-u\s+\S+/gm, '$1')
    .replace(/^ReadWritePaths=.*$/gm, (line) =>
      line.replace(/(^ReadWritePaths=|\s)\/var\/lib\/chrony(?=\s|$)/g, '$1-/var/lib/chrony'),
    )
    .replace(/^(StateDirectory|LogsDirectory)=/gm, '#$1=');
  if (!unit.includes('ConditionPathExists=/dev/ptp0'))
    unit = unit.replace(/^\[Unit\]\n/m, '[Unit]\nConditionPathExists=/dev/ptp0\n');
  return unit;
}

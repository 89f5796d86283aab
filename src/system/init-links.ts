import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, ensureDirectory, lines, putLink, warn } from './context.ts';

/** update-rc.d(8) without insserv: links of System V run levels, always numbered 01. */

/** `update-rc.d NAME defaults`, or `defaults-disabled`: links according to the script's LSB header. */
export function rcDefaults(tree: Tree, context: ConfigureContext, name: string, disabled = false): void {
  const text = tree.text(`etc/init.d/${name}`);
  if (text === undefined) return;
  const header = headerOf(text);
  if (header === undefined) {
    warn(context, 'RC_HEADER', { name });
    return;
  }
  const levels = (key: string): string[] => {
    for (const line of lines(header)) {
      const found = new RegExp(`^#\\s*${key}:\\s*(.*)$`, 'i').exec(line);
      if (found !== null) return found[1]!.split(/\s+/).filter((level) => /^[0-6S]$/.test(level));
    }
    return [];
  };
  const link = (level: string, kind: 'S' | 'K') => {
    ensureDirectory(tree, context, `etc/rc${level}.d`);
    putLink(tree, context, `etc/rc${level}.d/${kind}01${name}`, `../init.d/${name}`);
  };
  for (const level of levels('Default-Start')) link(level, disabled ? 'K' : 'S');
  for (const level of levels('Default-Stop')) link(level, 'K');
}

/** The LSB header of a script. */
function headerOf(text: string): string | undefined {
  const start = text.indexOf('### BEGIN INIT INFO\n');
  const end = start < 0 ? -1 : text.indexOf('### END INIT INFO', start);
  return end < 0 ? undefined : text.slice(text.indexOf('\n', start) + 1, end);
}

/** `update-rc.d NAME remove`. */
export function rcRemove(tree: Tree, name: string): void {
  for (const level of '0123456S')
    for (const entry of tree.list(`etc/rc${level}.d`))
      if (/^[SK]\d\d/.test(entry) && entry.slice(3) === name) tree.remove(`etc/rc${level}.d/${entry}`);
}

/** `update-rc.d NAME disable` and `enable`: turns start links of 2 to 5 into stop links, or back. */
export function rcSwitch(tree: Tree, context: ConfigureContext, name: string, on: boolean): void {
  for (const level of '2345S') {
    const [from, to] = on ? ['K', 'S'] : ['S', 'K'];
    if (!tree.remove(`etc/rc${level}.d/${from}01${name}`)) continue;
    putLink(tree, context, `etc/rc${level}.d/${to}01${name}`, `../init.d/${name}`);
  }
}

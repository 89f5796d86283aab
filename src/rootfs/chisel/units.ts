import { unitFolders } from '../../system/units.ts';
import { parts } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';

/** What a unit of systemd brings with it: other units, and the programs that it starts. */
export interface UnitNeeds {
  readonly units: readonly string[];
  readonly programs: readonly string[];
}

/** Relations that start another unit (systemd.unit(5)). After= and Conflicts= start nothing. */
const RELATIONS =
  /^\s*(Requires|Requisite|Wants|BindsTo|Upholds|Sockets|Service|Unit|OnFailure|OnSuccess|Also)\s*=\s*(.*)$/;
/** Command lines (systemd.service(5)); prefixes as `-` or `@` come before the program. */
const COMMAND = /^\s*Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPre|StopPost)\s*=\s*[-@:+!|]*(.*)$/;

/** The needs of a unit file, with its drop-ins and the links in its `.wants` and `.requires` folders. */
export function needsOfUnit(tree: Tree, name: string, text: string): UnitNeeds {
  const units = new Set<string>();
  const programs = new Set<string>();
  const folders = unitFolders(tree, 'system').map((folder) => parts(folder).join('/'));
  const texts = [text];
  for (const folder of folders) {
    for (const kind of ['wants', 'requires', 'upholds'])
      for (const other of tree.list(`${folder}/${name}.${kind}`)) units.add(other);
    for (const extra of tree.list(`${folder}/${name}.d`))
      if (extra.endsWith('.conf')) texts.push(tree.text(`${folder}/${name}.d/${extra}`) ?? '');
  }
  for (const line of texts.join('\n').replace(/\\\n/g, ' ').split('\n')) {
    const relation = RELATIONS.exec(line);
    if (relation !== null) for (const word of relation[2]!.split(/\s+/)) if (word !== '') units.add(word);
    const command = COMMAND.exec(line)?.[1];
    if (command === undefined) continue;
    // `;` alone separates several commands of one line
    for (const one of command.split(/\s;\s/)) {
      const program = /^[-@:+!|]*"?([^\s"]+)/.exec(one.trim())?.[1];
      if (program !== undefined && !program.includes('%')) programs.add(program);
    }
  }
  // a socket, timer or path without a unit of its own starts the service of its name
  const starter = /^(.*)\.(socket|timer|path)$/.exec(name);
  if (starter !== null && !/^\s*(Service|Unit)\s*=/m.test(text)) units.add(`${starter[1]}.service`);
  // DefaultDependencies: every service that does not say otherwise starts after these targets, and pulls them in
  if (/\.(service|socket|timer|path|target)$/.test(name) && !/^\s*DefaultDependencies\s*=\s*(no|false|0)/m.test(text))
    if (!/^(sysinit|basic|shutdown|local-fs|paths|timers|sockets|slices)\.target$/.test(name))
      units.add('sysinit.target');
  return { units: [...units], programs: [...programs] };
}

import { ANSWERS, COMMANDS, shownUsage } from './commands.ts';
import { pageWidth, type Row, section, wrapped } from './layout.ts';

/** The help of the program; no line is longer than `columns`. */
export function programHelp(columns: number): string {
  const width = pageWidth(columns);
  const commands = (rows: typeof COMMANDS): Row[] => Object.values(rows).map((row) => [shownUsage(row), row.describe]);
  const lines = [
    ...wrapped('osbuilder COMMAND [FLAGS]', width),
    '',
    ...wrapped(
      'Builds the guest operating system of Kata Containers: no root, no mount, the same bytes every time.',
      width,
    ),
    '',
    ...section('Commands', [...commands(COMMANDS), ...commands(ANSWERS)], width),
    ...section(
      'Examples',
      [
        ['osbuilder build --distro debian --agent demo --initrd i.img --image k.img', 'try it without an agent'],
        ['osbuilder plan --distro alpine', 'which packages would there be?'],
      ],
      width,
    ),
    ...wrapped(
      'osbuilder help COMMAND shows its flags. Each flag has an environment variable and a key of osbuilder.yaml; docs/settings.md lists them.',
      width,
    ),
    ...wrapped('Exit codes: 0 done, 1 error, 2 wrong command line, 70 internal error, 130 interrupted.', width),
  ];
  return lines.join('\n');
}

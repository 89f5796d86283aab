import { flagOf, rowOf, type SettingKey } from '../settings/table.ts';
import { supportedChoices } from '../settings/unsupported.ts';
import { actingSettings } from './acting.ts';
import { ANSWERS, COMMANDS, CONFIG, shownUsage } from './commands.ts';
import { pageWidth, type Row, section, wrapped } from './layout.ts';
import { programHelp } from './program-help.ts';

/** The help of a command, or of the program; no line is longer than `columns`. */
export function helpText(command: string | undefined, columns: number): string {
  return command === undefined ? programHelp(columns) : commandHelp(command, pageWidth(columns)).join('\n');
}

function commandHelp(command: string, width: number): string[] {
  const row = (COMMANDS[command] ?? ANSWERS[command])!;
  const lines = [...wrapped(`osbuilder ${shownUsage(row)}${command in ANSWERS ? '' : ' [FLAGS]'}`, width), ''];
  lines.push(...wrapped(`${row.describe.charAt(0).toUpperCase()}${row.describe.slice(1)}.`, width), '');
  if (!Object.hasOwn(ANSWERS, command)) {
    const own = Object.entries({ ...row.own, config: CONFIG }).map(
      ([name, { alias, value, describe }]): Row => [
        `${alias === undefined ? '' : `-${alias}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
        describe,
      ],
    );
    const groups = new Map<string, Row[]>();
    for (const key of actingSettings(command)) {
      const { group } = rowOf(key);
      groups.set(group, [...(groups.get(group) ?? []), settingRow(key)]);
    }
    lines.push(...section('Flags', [...own, ['-h, --help', 'show this']], width));
    for (const [group, rows] of groups) lines.push(...section(group, rows, width));
  }
  if (row.examples !== undefined) lines.push(...section('Examples', row.examples, width));
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

/** A setting: flag and values, meaning, default, environment. */
function settingRow(key: SettingKey): Row {
  const { kind, description, fallback, environment } = rowOf(key);
  const words = kind.name === 'yes-no' ? ['yes', 'no'] : supportedChoices(key);
  const value = words === undefined ? kind.placeholder : words.join('|');
  const usual =
    fallback === undefined || fallback === ''
      ? ''
      : ` (default: ${fallback === true ? 'yes' : fallback === false ? 'no' : String(fallback)})`;
  return [
    `--${flagOf(key)} ${kind.name === 'yes-no' ? `[${value}]` : value}`,
    `${description}${usual} [$${environment.join(', $')}]`,
  ];
}

import { flagOf, rowOf, type SettingKey } from '../settings/table.ts';
import { supportedChoices } from '../settings/unsupported.ts';
import { actingSettings } from './acting.ts';
import { shownUsage } from './arguments.ts';
import { ANSWERS, COMMANDS, CONFIG } from './commands.ts';

/** Columns beyond which lines are hard to read. */
const WIDEST = 110;
/** Columns of a terminal below which explanations get lines of their own. */
const NARROW = 72;

/** A row of help: what to type, and what it means. */
type Row = readonly [typed: string, meaning: string];

/** The help of a command, or of the program; no line is longer than `columns`. */
export function helpText(command: string | undefined, columns: number): string {
  const width = Math.max(20, Math.min(WIDEST, columns));
  return (command === undefined ? programHelp(width) : commandHelp(command, width)).join('\n');
}

function programHelp(width: number): string[] {
  const commands = (rows: typeof COMMANDS): Row[] => Object.values(rows).map((row) => [shownUsage(row), row.describe]);
  return [
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

function section(title: string, rows: readonly Row[], width: number): string[] {
  const lines = wrapped(`${title}:`, width);
  const longest = Math.max(...rows.map(([typed]) => typed.length));
  // examples are longer than what they mean
  const column = Math.min(longest, 34) + 4;
  for (const [typed, meaning] of rows) {
    const beside = width >= NARROW && typed.length + 4 <= column;
    if (!beside) lines.push(...wrapped(typed, width, 2, 6));
    const indent = width >= NARROW ? column : 6;
    const text = wrapped(meaning, width, indent);
    if (beside) text[0] = `  ${typed}`.padEnd(column) + text[0]!.slice(column);
    lines.push(...text);
  }
  return [...lines, ''];
}

/** Text in lines of at most `width` characters, broken at blanks, or inside a word that is longer than a line. */
function wrapped(text: string, width: number, indent = 0, further = indent): string[] {
  const lines: string[] = [];
  let line = ' '.repeat(indent);
  let empty = true;
  for (let word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' '.repeat(further);
      empty = true;
    }
    line += empty ? '' : ' ';
    while (line.length + word.length > width) {
      const part = word.slice(0, Math.max(1, width - line.length));
      lines.push(line + part);
      word = word.slice(part.length);
      line = ' '.repeat(further);
    }
    line += word;
    empty = false;
  }
  return [...lines, line];
}

import { type Call, options } from './command.ts';
import { divide, takeLine } from './read.ts';

/** `read` of bash: -r -a -d -n -N -p -s -t -u -e -i. */
export function bashRead(call: Call): number {
  const given = options(call.args, '+ersa:d:i:n:N:p:t:u:');
  if (given.unknown !== undefined) return call.fail(`${given.unknown}: invalid option`, 2);
  const { shell } = call;
  const stream = shell.stream(Number(given.last('u') ?? 0));
  if (stream === undefined) return call.fail('read error: Bad file descriptor');
  const raw = given.has('r');
  const exact = given.last('N');
  const most = exact ?? given.last('n');
  const delimiter = given.has('d') ? (given.last('d')![0] ?? '\0') : '\n';
  let rest = stream.rest();
  const limit = most === undefined ? undefined : Number.parseInt(most, 10) || 0;
  if (given.last('t') === '0') return rest === '' ? 1 : 0;
  if (limit !== undefined) rest = rest.slice(0, limit);
  const { text, literal, taken, ended } =
    exact !== undefined
      ? { text: rest, literal: new Set<number>(), taken: rest.length, ended: rest.length === limit }
      : takeLine(rest, raw, delimiter);
  stream.consume(taken);
  shell.budget.look(taken);
  const complete = ended || (limit !== undefined && text.length >= limit);
  if (!complete && stream.isEndless === true) shell.budget.length(Number.POSITIVE_INFINITY, 'a line that is read');
  const ifs = shell.get('IFS') ?? ' \t\n';
  const array = given.last('a');
  if (array !== undefined) {
    const values = divide(text, literal, Number.POSITIVE_INFINITY, ifs);
    shell.makeArray(
      array,
      values.map((value, i) => [String(i), value] as const),
      false,
    );
  } else if (given.operands.length === 0) shell.assign('REPLY', text);
  else if (exact !== undefined) {
    for (const [i, name] of given.operands.entries()) if (!assign(call, name, i === 0 ? text : '')) return 1;
  } else {
    const values = divide(text, literal, given.operands.length, ifs);
    for (const [i, name] of given.operands.entries()) if (!assign(call, name, values[i] ?? '')) return 1;
  }
  return complete ? 0 : 1;
}

/** Assigns to a variable or an element of one; false, with a message, when that is not possible. */
function assign(call: Call, name: string, value: string): boolean {
  const { shell } = call;
  const element = /^([A-Za-z_]\w*)\[([\s\S]*)\]$/.exec(name);
  const variable = element?.[1] ?? name;
  if (!/^[A-Za-z_]\w*$/.test(variable) || shell.variables.get(variable)?.readonly) {
    call.complain(`\`${name}': not a valid identifier`);
    return false;
  }
  if (element === null) shell.assign(name, value);
  else shell.setElement(element[1]!, element[2]!, value);
  return true;
}

/** `mapfile` and `readarray`: lines into an array. */
export function mapfile(call: Call): number {
  const given = options(call.args, '+d:n:O:s:tu:C:c:');
  if (given.unknown !== undefined) return call.fail(`${given.unknown}: invalid option`, 2);
  if (given.has('C', 'c')) return call.unsupported(`${call.name} -C`);
  const { shell } = call;
  const stream = shell.stream(Number(given.last('u') ?? 0));
  const text = stream?.rest() ?? '';
  const delimiter = given.has('d') ? (given.last('d')![0] ?? '\0') : '\n';
  const skip = Number(given.last('s') ?? 0);
  const most = Number(given.last('n') ?? 0) || Number.POSITIVE_INFINITY;
  const first = Number(given.last('O') ?? 0);
  const lines: string[] = [];
  let at = 0;
  while (at < text.length && lines.length < skip + most) {
    shell.budget.spend();
    const end = text.indexOf(delimiter, at);
    const to = end < 0 ? text.length : end + 1;
    lines.push(text.slice(at, given.has('t') && end >= 0 ? end : to));
    at = to;
  }
  stream?.consume(at);
  if (stream?.isEndless === true && lines.length < skip + most)
    shell.budget.length(Number.POSITIVE_INFINITY, 'an array of lines');
  shell.budget.look(at);
  const name = given.operands[0] ?? 'MAPFILE';
  if (!given.has('O')) shell.makeArray(name, [], false);
  for (const [i, line] of lines.slice(skip).entries()) shell.setElement(name, String(first + i), line);
  return 0;
}

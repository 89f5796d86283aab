import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import { strftime } from '../strftime.ts';
import { type Moment, parseDate } from './date-text.ts';
import { linesOf } from './lines.ts';

const DATE: Taken = {
  known: 'u,utc,universal R,rfc-email,rfc-822 d,date= f,file= r,reference= I,iso-8601=? rfc-3339= debug',
  missing: 's,set= resolution',
};
const ISO: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '': '%Y-%m-%d',
    date: '%Y-%m-%d',
    hours: '%Y-%m-%dT%H+00:00',
    minutes: '%Y-%m-%dT%H:%M+00:00',
    seconds: '%Y-%m-%dT%T+00:00',
    ns: '%Y-%m-%dT%T,%N+00:00',
  }),
);
const RFC3339: ReadonlyMap<string, string> = new Map(
  Object.entries({ date: '%F', seconds: '%F %T+00:00', ns: '%F %T.%N+00:00' }),
);

/** `date`: the current time is the build's time, always in UTC. */
function date(call: Call): number {
  const given = call.parse(DATE);
  const { files } = call;
  const iso = given.last('I');
  const rfc = given.last('rfc-3339');
  let format = '%a %b %e %T %Z %Y';
  if (given.has('R')) format = '%a, %d %b %Y %T %z';
  if (iso !== undefined) format = ISO.get(iso) ?? '';
  if (rfc !== undefined) format = RFC3339.get(rfc) ?? '';
  if (format === '') return call.fail(`invalid argument '${iso ?? rfc}'`);
  for (const operand of given.operands) {
    if (operand.startsWith('+')) format = operand.slice(1);
    else return call.unsupported(`date ${operand}`);
  }
  if (given.operands.length > 1) return call.fail(`extra operand '${given.operands[1]}'`);
  const print = (at: Moment, text: string): boolean => {
    const made = strftime(format, at.seconds, at.nanoseconds);
    if (made === undefined) call.complain(`time '${text}' is out of range`);
    else call.out(`${made}\n`);
    return made !== undefined;
  };
  const list = given.last('f');
  const reference = given.last('r');
  const texts = list !== undefined ? linesOf(call.read(list)) : given.has('d') ? [given.last('d')!] : undefined;
  if (texts === undefined) {
    const inode = reference === undefined ? undefined : files.stat(reference);
    const at = { seconds: inode?.mtime ?? files.time, nanoseconds: inode?.nanoseconds ?? 0 };
    return print(at, '') ? 0 : 1;
  }
  let status = 0;
  for (const text of texts) {
    call.shell.budget.spend(4);
    const at = parseDate(text, files.time);
    if (at === undefined) status = call.fail(`invalid date '${text}'`);
    else if (!print(at, text)) status = 1;
  }
  return status;
}

/** The clock of the guest, which stands still. */
export const DATE_COMMANDS: Readonly<Record<string, Command>> = { date };

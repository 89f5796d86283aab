import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';

const GETOPT: Taken = {
  known: 'a,alternative l,long,longoptions= n,name= o,options= q,quiet Q,quiet-output s,shell= T,test u,unquoted',
  missing: 'h V',
  stop: true,
  status: 2,
};

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The options to parse for. */
interface Wanted {
  readonly short: string;
  /** Long names with `=` or `=?` after those that take a value. */
  readonly long: readonly string[];
  readonly alternative: boolean;
  complain(text: string): void;
}

const bare = (word: string) => word.replace(/=\??$/, '');

/** A long option by its name or an unambiguous beginning of it. */
function longOption(name: string, { long }: Wanted): string | undefined {
  const exact = long.find((word) => bare(word) === name);
  if (exact !== undefined) return exact;
  const near = long.filter((word) => word.startsWith(name));
  return near.length > 1 ? 'ambiguous' : near[0];
}

/** Parses the arguments; undefined values in `out` mark errors. */
function parse(args: readonly string[], wanted: Wanted) {
  const out: { option: string; value: string | undefined }[] = [];
  const operands: string[] = [];
  let wrong = false;
  const inPlace = wanted.short.startsWith('-');
  const stops = wanted.short.startsWith('+');
  const letters = wanted.short.replace(/^[-+]/, '').replace(/^:/, '');
  const fail = (text: string) => {
    wrong = true;
    wanted.complain(text);
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      for (const each of args.slice(i + 1)) operands.push(each);
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (stops) {
        for (const each of args.slice(i)) operands.push(each);
        break;
      }
      if (inPlace) out.push({ option: '', value: arg });
      else operands.push(arg);
      continue;
    }
    const isLong =
      arg.startsWith('--') ||
      (wanted.alternative && arg.length > 2 && longOption(arg.slice(1).split('=')[0]!, wanted) !== undefined);
    if (isLong) {
      const dashes = arg.startsWith('--') ? '--' : '-';
      const equals = arg.indexOf('=');
      const name = arg.slice(dashes.length, equals < 0 ? undefined : equals);
      const found = longOption(name, wanted);
      if (found === undefined) fail(`unrecognized option '${dashes}${name}'`);
      else if (found === 'ambiguous') fail(`option '${arg}' is ambiguous`);
      else if (!found.includes('=')) {
        if (equals >= 0) fail(`option '--${bare(found)}' doesn't allow an argument`);
        else out.push({ option: `--${found}`, value: undefined });
      } else if (equals >= 0) out.push({ option: `--${bare(found)}`, value: arg.slice(equals + 1) });
      else if (found.endsWith('?')) out.push({ option: `--${bare(found)}`, value: '' });
      else if (i + 1 >= args.length) fail(`option '--${bare(found)}' requires an argument`);
      else out.push({ option: `--${bare(found)}`, value: args[++i]! });
      continue;
    }
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at]!;
      const where = letter === ':' ? -1 : letters.indexOf(letter);
      if (where < 0) {
        fail(`invalid option -- '${letter}'`);
        continue;
      }
      if (letters[where + 1] !== ':') {
        out.push({ option: `-${letter}`, value: undefined });
        continue;
      }
      const rest = arg.slice(at + 1);
      if (rest !== '' || letters[where + 2] === ':') out.push({ option: `-${letter}`, value: rest });
      else if (i + 1 >= args.length) fail(`option requires an argument -- '${letter}'`);
      else out.push({ option: `-${letter}`, value: args[++i]! });
      break;
    }
  }
  return { out, operands, wrong };
}

/** `getopt` of util-linux: parses options and quotes them for `eval set --`. */
function getopt(call: Call): number {
  const old = call.args[0] !== undefined && !call.args[0].startsWith('-');
  const given = call.parse(GETOPT);
  if (given.has('T')) return 4;
  let args: readonly string[] = given.operands;
  let short = given.last('o');
  if (short === undefined) {
    short = args[0];
    args = args.slice(1);
    // `getopt [options] -- optstring arguments`
    if (args[0] === '--') args = args.slice(1);
  }
  if (short === undefined) return call.fail('missing optstring argument', 2);
  const name = given.last('n') ?? 'getopt';
  const { out, operands, wrong } = parse(args, {
    short,
    long: given
      .all('l')
      .flatMap((list) => list.split(/[ ,\t\n]+/))
      .filter((word) => word !== '')
      .map((word) => word.replace(/::$/, '=?').replace(/:$/, '=')),
    alternative: given.has('a'),
    complain: (text) => {
      if (!given.has('q')) call.shell.write(2, `${name}: ${text}\n`);
    },
  });
  const quote = given.has('u') || old ? (text: string) => text : quoted;
  const words = out.flatMap(({ option, value }) => [
    ...(option === '' ? [] : [option]),
    ...(value === undefined ? [] : [quote(value)]),
  ]);
  if (!given.has('Q')) call.out(` ${[...words, '--', ...operands.map(quote)].join(' ')}\n`);
  return wrong ? 1 : 0;
}

/** Argument parsing for scripts. */
export const GETOPT_COMMANDS: Readonly<Record<string, Command>> = { getopt };

import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import { RegexError } from '../regex.ts';
import { parseAwk } from './awk-parser.ts';
import { Awk } from './awk-run.ts';
import { AwkError } from './awk-syntax.ts';

const AWK: Taken = {
  known: 'F,field-separator= v,assign= f,file= W= r,re-interval P,posix c,traditional b,characters-as-bytes',
  missing:
    'e,source= i,include= l,load= n,non-decimal-data O,optimize p,profile=? S,sandbox t,lint-old L,lint=? d,dump-variables=? D,debug=? E,exec= g,gen-pot h M,bignum N,use-lc-numeric o,pretty-print=? s,no-optimize V C,copyright',
  stop: true,
  status: 2,
};

function awk(call: Call): number {
  const given = call.parse(AWK);
  const operands = [...given.operands];
  const sources = given.all('f').map((path) => call.read(path));
  const text = sources.length > 0 ? sources.join('\n') : operands.shift();
  if (text === undefined) return call.fail('usage: awk [-F fs] program [file ...]', 2);
  try {
    const run = new Awk(call, parseAwk(text, call.shell.budget));
    const separator = given.last('F');
    if (separator !== undefined) run.assign('FS', separator === 't' ? '\\t' : separator);
    for (const one of given.all('v')) {
      const assignment = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(one);
      if (assignment === null) return call.fail(`improper assignment: -v ${one}`, 2);
      run.assign(assignment[1]!, assignment[2]!);
    }
    return run.run(operands);
  } catch (error) {
    if (error instanceof AwkError || error instanceof RegexError) return call.fail(error.message, 2);
    throw error;
  }
}

/** The pattern scanner. */
export const AWK_COMMANDS: Readonly<Record<string, Command>> = { awk, gawk: awk, mawk: awk, 'original-awk': awk };

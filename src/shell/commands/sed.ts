import type { Inode } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import { FileError, textContent } from '../files.ts';
import type { Given, Taken } from '../given.ts';
import { RegexError } from '../regex.ts';
import { SedInput, SedOutput } from './sed-input.ts';
import { parseSed, SedError } from './sed-parser.ts';
import { Sed } from './sed-run.ts';

/** -i takes its suffix only when written together. */
const SED: Taken = {
  known:
    'n,quiet,silent e,expression= f,file= E,regexp-extended r i,in-place=? s,separate z,null-data u,unbuffered l,line-length= posix follow-symlinks b,binary',
  missing: 'debug sandbox',
};

/** Replaces a file by its edited text. A link is replaced as well, unless links are followed. */
function replaceFile(call: Call, given: Given, path: string, text: string): void {
  const { files } = call;
  const follow = given.has('follow-symlinks');
  const suffix = given.last('i')!;
  const target = follow ? (files.real(path) ?? path) : path;
  const inode = files.stat(path);
  const place = files.place(target);
  if (suffix !== '') {
    const name = target.replace(/[^/]*$/, (base) =>
      suffix.includes('*') ? suffix.replaceAll('*', base) : base + suffix,
    );
    const kept = files.place(suffix.includes('/') && suffix.includes('*') ? name.replace(/^.*\/(?=.*\/)/, '') : name);
    files.put(kept, place.inode!);
  }
  files.budget.write(text.length);
  files.budget.length(text.length, 'a file');
  const made: Inode = { ...inode, content: textContent(text) } as Inode & { kind: 'file' };
  files.touch(made);
  files.put(place, made);
}

function edit(call: Call, given: Given, path: string, sed: Sed, end: string): boolean {
  const inode = call.files.stat(path);
  if (inode.kind !== 'file') throw new FileError("couldn't edit: not a regular file");
  const out: string[] = [];
  let length = 0;
  const output = new SedOutput((text) => {
    length += text.length;
    call.shell.budget.length(length, 'a file');
    call.shell.budget.look(text.length);
    out.push(text);
  }, end);
  const input = new SedInput(call, [path], end);
  const ended = sed.run(input, output);
  replaceFile(call, given, path, out.join(''));
  return ended;
}

function sed(call: Call): number {
  const given = call.parse(SED);
  const operands = [...given.operands];
  const sources = given.order.flatMap(({ name, value }) =>
    name === 'e' ? [value] : name === 'f' ? [call.read(value).replace(/\n$/, '')] : [],
  );
  if (sources.length === 0) {
    const first = operands.shift();
    if (first === undefined) return call.fail('no script specified', 1);
    sources.push(first);
  }
  const quiet = given.has('n') || sources[0]!.startsWith('#n\n') || sources[0] === '#n';
  const end = given.has('z') ? '\0' : '\n';
  const width = Number(given.last('l') ?? 70);
  const paths = operands.length === 0 ? ['-'] : operands;
  try {
    const program = parseSed(sources.join('\n'), given.has('E', 'r'), call.shell.budget);
    const sed = new Sed(call, program, { quiet, end, width });
    let status = 0;
    const out: string[] = [];
    let length = 0;
    const output = new SedOutput((text) => {
      length += text.length;
      call.shell.budget.length(length);
      out.push(text);
    }, end);
    if (given.has('i')) {
      for (const path of operands) {
        let ended = false;
        if (!call.attempt(`can't read ${path}`, () => (ended = edit(call, given, path, sed, end)))) status = 4;
        if (ended) break;
      }
      if (operands.length === 0) return call.fail('no input files', 1);
      if (status === 4 && operands.every((path) => call.files.find(path) === undefined)) status = 2;
    } else if (given.has('s')) {
      for (const path of paths) {
        const input = new SedInput(call, [path], end);
        const ended = sed.run(input, output);
        status = input.status || status;
        if (ended) {
          call.enough();
          break;
        }
      }
    } else {
      const input = new SedInput(call, paths, end);
      if (sed.run(input, output)) call.enough();
      status = input.status;
    }
    sed.finish();
    call.out(out.join(''));
    return sed.status || status;
  } catch (error) {
    if (error instanceof SedError || error instanceof RegexError)
      return call.fail(`-e expression: ${error.message}`, error instanceof SedError ? error.status : 1);
    throw error;
  }
}

/** The stream editor. */
export const SED_COMMANDS: Readonly<Record<string, Command>> = { sed };

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Job } from '../../../../src/families/rpm/solver/jobs.ts';
import type { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { parseRich } from '../../../../src/families/rpm/solver/rich-parse.ts';
import { PackageTableBuilder } from '../../../../src/families/rpm/solver/table.ts';
import type { Kind, PackageTable, SolverRepository } from '../../../../src/families/rpm/solver/types.ts';

/** Reads libsolv's test cases: `.t` files with repositories as testtags. */

const TAGS: Readonly<Record<string, Kind>> = {
  Prv: 'provides',
  Req: 'requires',
  Prq: 'requires',
  Con: 'conflicts',
  Obs: 'obsoletes',
  Rec: 'recommends',
  Sug: 'suggests',
  Sup: 'supplements',
  Enh: 'enhances',
};

/** Operators as test cases write them, longest first where one begins with another. */
const OPERATORS: readonly (readonly [string, string])[] = [
  ['<IF>', 'if'],
  ['<ELSE>', 'else'],
  ['<UNLESS>', 'unless'],
  ['<=>', '7'],
  ['<=', '6'],
  ['>=', '3'],
  ['<>', '5'],
  ['=', '2'],
  ['>', '1'],
  ['<', '4'],
  ['&', 'and'],
  ['|', 'or'],
  ['+', 'with'],
  ['-', 'without'],
];

interface Node {
  readonly text: string;
  readonly flags: number;
  readonly evr: string;
  readonly rich: boolean;
}

const SIGNS = ['', '>', '=', '>=', '<', '<>', '<=', '<=>'];
const written = ({ text, flags, evr }: Node) => (flags === 0 ? text : `${text} ${SIGNS[flags]} ${evr}`);

/** A dependency as test cases write it, as metadata has it. Throws for what metadata cannot have. */
export function readDependency(text: string): { readonly name: string; readonly flags: number; readonly evr: string } {
  let at = 0;
  const spaces = () => {
    while (text[at] === ' ' || text[at] === '\t') at++;
  };
  const simple = (): string => {
    const start = at;
    let open = 0;
    for (; at < text.length; at++) {
      const c = text[at]!;
      if (c === ' ' || c < ' ') break;
      if (c === '(') open++;
      if (c === ')' && open-- <= 0) break;
    }
    return text
      .slice(start, at)
      .replace(/\\([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  };
  const complex = (comparing: boolean): Node => {
    spaces();
    let node: Node;
    if (text.startsWith('namespace:', at)) throw new Error(`namespace in ${text}`);
    if (text[at] === '(') {
      at++;
      node = complex(false);
      if (text[at] !== ')') throw new Error(`parenthesis in ${text}`);
      at++;
    } else node = { text: simple(), flags: 0, evr: '', rich: false };
    for (;;) {
      spaces();
      if (at >= text.length || text[at] === ')' || comparing) return node;
      const found = OPERATORS.find(([sign]) => text.startsWith(sign, at));
      if (found === undefined) throw new Error(`operator at ${at} of ${text}`);
      at += found[0].length;
      const flags = Number(found[1]);
      const second = complex(flags > 0);
      if (flags > 0) {
        if (node.rich || node.flags !== 0 || second.rich || second.flags !== 0)
          throw new Error(`nested version: ${text}`);
        node = { text: node.text, flags, evr: second.text, rich: false };
      } else node = { text: `(${written(node)} ${found[1]} ${written(second)})`, flags: 0, evr: '', rich: true };
    }
  };
  const node = complex(false);
  if (at < text.length) throw new Error(`rest of ${text}`);
  return { name: node.text, flags: node.flags, evr: node.evr };
}

/** Reads packages in the form of testtags. */
export function readTestTags(text: string): PackageTable {
  const builder = new PackageTableBuilder();
  let version = 0;
  let provideItself = true;
  let current: { name: string; evr: string; arch: string } | undefined;
  const finish = () => {
    if (current !== undefined && provideItself && current.arch !== 'src' && current.arch !== 'nosrc')
      builder.dependency('provides', current.name, 2, current.evr);
  };
  let list: string | undefined;
  for (const line of text.split('\n')) {
    let tag: string;
    let value: string;
    if (list !== undefined) {
      if (line === `-${list}:`) {
        list = undefined;
        continue;
      }
      tag = list;
      value = line;
    } else if (/^\+[A-Za-z]{3}:/.test(line)) {
      list = line.slice(1, 4);
      continue;
    } else if (/^=[A-Za-z]{3}:/.test(line)) {
      tag = line.slice(1, 4);
      value = line.slice(6);
    } else continue;
    if (tag === 'Ver') {
      version = Number.parseInt(value, 10);
      provideItself = version < 3 || value.includes('addselfprovides');
    } else if (tag === 'Pkg') {
      finish();
      const [name, v, release, arch] = value.trim().split(/\s+/) as [string, string, string, string];
      const evr = `${v.replace(/^0+:/, '')}${release === '-' ? '' : `-${release}`}`;
      current = { name, evr, arch: arch === '-' ? '' : arch };
      builder.package(name, evr, current.arch);
    } else if (tag === 'Fls' || (tag === 'Prv' && version === 2 && value.startsWith('/'))) builder.file(value);
    else {
      const kind = TAGS[tag];
      if (kind === undefined) continue;
      const { name, flags, evr } = value.startsWith('/') ? { name: value, flags: 0, evr: '' } : readDependency(value);
      builder.dependency(kind, name, flags, evr);
    }
  }
  finish();
  return builder.finish();
}

export interface TestJob {
  /** Words after `job`: `install name X`. */
  readonly words: readonly string[];
  readonly flags: readonly string[];
}

export interface TestCase {
  readonly file: string;
  /** Of the file's cases, from 1. */
  readonly number: number;
  readonly repositories: readonly (SolverRepository & { readonly installed: boolean })[];
  readonly architecture: string | undefined;
  readonly poolFlags: readonly string[];
  readonly solverFlags: readonly string[];
  readonly jobs: readonly TestJob[];
  /** Kinds of results, `transaction` and so on. */
  readonly resultKinds: readonly string[];
  readonly result: readonly string[];
  /** Words that begin lines which this reader does not know. */
  readonly unknown: readonly string[];
}

/** All cases of a `.t` file; they share repositories and system. */
export function readTestFile(file: string): TestCase[] {
  const lines = readFileSync(file, 'latin1').split('\n');
  const repositories: { name: string; priority: number; cost: number; packages: PackageTable }[] = [];
  let architecture: string | undefined;
  let system: string | undefined;
  const cases: TestCase[] = [];
  let poolFlags: string[] = [];
  let state = {
    solverFlags: [] as string[],
    jobs: [] as TestJob[],
    kinds: [] as string[],
    result: [] as string[],
    unknown: [] as string[],
  };
  let inline: string[] = [];
  const takeInline = (from: number): number => {
    inline = [];
    while (lines[from + 1]?.startsWith('#>')) inline.push(lines[++from]!.slice(2));
    return from;
  };
  const flush = () => {
    cases.push({
      file,
      number: cases.length + 1,
      repositories: repositories.map((one) => ({ ...one, installed: one.name === system })),
      architecture,
      poolFlags,
      solverFlags: state.solverFlags,
      jobs: state.jobs,
      resultKinds: state.kinds,
      result: state.result,
      unknown: state.unknown,
    });
    state = { solverFlags: [], jobs: [], kinds: [], result: [], unknown: [] };
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line === '' || line.startsWith('#')) continue;
    const words = line.split(/\s+/);
    if (words[0] === 'repo') {
      const [priority, sub] = words[2]!.split('.');
      let text = '';
      if (words[4] === '<inline>') {
        i = takeInline(i);
        text = inline.join('\n');
      } else if (words[3] === 'testtags') text = readFileSync(join(dirname(file), words[4]!), 'latin1');
      else if (words[3] !== 'empty') state.unknown.push(words[3]!);
      repositories.push({
        name: words[1]!,
        priority: -Number(priority),
        cost: -Number(sub ?? 0),
        packages: readTestTags(text),
      });
    } else if (words[0] === 'system') {
      architecture = words[1] === 'unset' || words[1] === '-' ? undefined : words[1];
      system = words[3];
    } else if (words[0] === 'poolflags') poolFlags = words.slice(1);
    else if (words[0] === 'solverflags') state.solverFlags.push(...words.slice(1));
    else if (words[0] === 'job') {
      const flags = /\[([^\]]*)\]$/.exec(line)?.[1]?.split(',') ?? [];
      state.jobs.push({
        words: line
          .replace(/\s*\[[^\]]*\]$/, '')
          .split(/\s+/)
          .slice(1),
        flags,
      });
    } else if (words[0] === 'result') {
      i = takeInline(i);
      state.kinds = words[1]!.split(',');
      state.result = inline;
    } else if (words[0] === 'nextjob') flush();
    else if (words[0] !== 'feature') state.unknown.push(words[0]!);
  }
  flush();
  return cases;
}

/** Jobs of a test case as the resolver has them, and the packages of which several versions may be there. */
export function engineJobs(pool: Pool, jobs: readonly TestJob[]): { jobs: Job[]; multiversion: Set<number> } {
  const found: Job[] = [];
  const multiversion = new Set<number>();
  const byName = new Map<string, number>();
  for (let id = 2; id < pool.size; id++)
    byName.set(`${pool.show(id)}@${pool.repositories[pool.repository[id]!]!.name}`, id);
  for (const { words, flags } of jobs) {
    const [kind, select, ...rest] = words;
    let candidates: number[];
    let exact = false;
    if (select === 'pkg' || select === 'oneof') {
      candidates = rest.map((text) => byName.get(text)!).filter((id) => id !== undefined);
      exact = select === 'pkg';
    } else {
      const { name, flags: operator, evr } = readDependency(rest.join(' '));
      const { relations } = pool;
      const dependency = name.startsWith('(')
        ? parseRich(relations, name)
        : operator === 0
          ? relations.text(name)
          : relations.relation(relations.text(name), operator, relations.text(evr));
      candidates = pool.providers(dependency);
      if (select === 'name') candidates = candidates.filter((id) => pool.isNamed(id, dependency));
    }
    if (kind === 'multiversion') for (const id of candidates) multiversion.add(id);
    else if (kind === 'install' || kind === 'erase')
      found.push({
        kind: kind === 'install' ? 'install' : 'forbid',
        candidates,
        best: flags.includes('forcebest'),
        weak: flags.includes('weak'),
        setsArchitecture: exact || flags.includes('setarch'),
      });
    else throw new Error(`job ${kind}`);
  }
  return { jobs: found, multiversion };
}

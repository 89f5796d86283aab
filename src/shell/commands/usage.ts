import type { Inode } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import type { Given, Taken } from '../given.ts';
import { compilePath, matchesPath, type PathPattern } from '../pattern.ts';
import { linesOf } from './lines.ts';
import { blocksOf, sizeOf } from './modes.ts';

const DU: Taken = {
  known:
    '0,null a,all apparent-size B,block-size= b,bytes c,total D,dereference-args H d,max-depth= h,human-readable inodes k L,dereference l,count-links m P,no-dereference S,separate-dirs si s,summarize t,threshold= X,exclude-from= exclude= x,one-file-system',
  missing: 'files0-from= time=? time-style=',
};
const UNITS = 'KMGTPEZY';

/** A unit of sizes: bytes, or units of their own for people. */
type Unit = number | 'binary' | 'decimal';

/** A size such as `4096`, `2K`, `1MB`; undefined when it is none. */
export function byteSize(text: string): number | undefined {
  const match = /^([0-9]{0,15})(?:([KkMGTPEZY])(iB|B|)|b|)$/.exec(text);
  if (match === null || text === '') return undefined;
  const base = match[3] === 'B' ? 1000 : 1024;
  const power = match[2] === undefined ? 0 : UNITS.indexOf(match[2].toUpperCase()) + 1;
  return Number(match[1] || 1) * (text.endsWith('b') ? 512 : base ** power);
}

/** A number of bytes as du prints it, rounded up. */
function sizeText(bytes: number, unit: Unit): string {
  if (typeof unit === 'number') return String(Math.ceil(bytes / unit));
  const base = unit === 'binary' ? 1024 : 1000;
  let power = 0;
  let value = bytes;
  while (value >= base && power < UNITS.length) {
    value /= base;
    power++;
  }
  if (power === 0) return String(bytes);
  const tenths = Math.ceil(value * 10);
  let text = value < 10 && tenths < 100 ? (tenths / 10).toFixed(1) : String(Math.ceil(value));
  if (text === String(base) && power < UNITS.length) {
    text = '1.0';
    power++;
  }
  const letter = UNITS[power - 1]!;
  return text + (unit === 'decimal' && letter === 'K' ? 'k' : letter);
}

/** Adds up what files take. */
class Usage {
  readonly #call: Call;
  readonly #given: Given;
  readonly #exclude: readonly PathPattern[];
  readonly #unit: Unit;
  readonly #depth: number;
  readonly #threshold: number;
  readonly #seen = new Set<Inode>();
  readonly #links: ReadonlyMap<Inode, number>;
  total = 0;
  status = 0;

  constructor(call: Call, given: Given, exclude: readonly PathPattern[], unit: Unit, depth: number, threshold: number) {
    this.#call = call;
    this.#given = given;
    this.#exclude = exclude;
    this.#unit = unit;
    this.#depth = depth;
    this.#threshold = threshold;
    this.#links = given.has('l') ? new Map() : call.files.linkCounts();
  }

  #own(inode: Inode): number {
    if (this.#given.has('inodes')) return 1;
    return this.#given.has('apparent-size', 'b') ? sizeOf(inode) : blocksOf(inode) * 512;
  }

  #excluded(path: string): boolean {
    const names = path.split('/');
    return this.#exclude.some((pattern) =>
      names.some((_, i) => matchesPath(pattern, names.slice(i).join('/'), this.#call.shell.budget)),
    );
  }

  print(size: number, path: string): void {
    const text =
      this.#given.has('inodes') && this.#unit !== 'binary' && this.#unit !== 'decimal'
        ? String(size)
        : sizeText(size, this.#unit);
    this.#call.out(`${text}\t${path}${this.#given.has('0') ? '\0' : '\n'}`);
  }

  /** Adds and prints an operand. */
  operand(path: string): void {
    const follow = this.#given.lastOf('D', 'H', 'L', 'P');
    const given = this.#given;
    const inode = this.#call.files.stat(path, follow !== undefined && follow !== 'P');
    this.#walk(path, inode, follow === 'L', given);
  }

  /** A folder with what is below it; folders are printed after what they hold. */
  #walk(start: string, top: Inode, follow: boolean, given: Given): void {
    const { files, shell } = this.#call;
    interface Step {
      readonly path: string;
      readonly inode: Inode;
      readonly level: number;
      readonly above: Step | undefined;
      size: number;
      below: number;
      opened: boolean;
    }
    const step = (path: string, inode: Inode, level: number, above: Step | undefined): Step => ({
      ...{ path, inode, level, above, size: 0, below: 0, opened: false },
    });
    const waiting = [step(start, top, 0, undefined)];
    for (let one = waiting.at(-1); one !== undefined; one = waiting.at(-1)) {
      shell.budget.spend();
      const { inode, path, level, above } = one;
      if (!one.opened) {
        one.opened = true;
        const twice = inode.kind === 'directory' || (this.#links.get(inode) ?? 1) > 1 || follow;
        if (this.#excluded(path) || (!given.has('l') && twice && this.#seen.has(inode))) {
          waiting.pop();
          continue;
        }
        if (twice) this.#seen.add(inode);
        one.size = this.#own(inode);
        this.total += one.size;
        if (inode.kind === 'directory') {
          const folder = path.endsWith('/') ? path : `${path}/`;
          for (const name of files.list(path).reverse()) {
            const child = inode.children.get(name)!;
            const real = follow && child.kind === 'symlink' ? files.find(folder + name) : child;
            if (real === undefined) {
              this.#call.complain(`cannot access '${folder}${name}': No such file or directory`);
              this.status = 1;
              continue;
            }
            // a link to a folder above would never end
            let loop: Step | undefined = one;
            while (loop !== undefined && loop.inode !== real) loop = loop.above;
            if (loop === undefined) waiting.push(step(folder + name, real, level + 1, one));
          }
          continue;
        }
      }
      waiting.pop();
      const folder = inode.kind === 'directory';
      const size = one.size + (folder && !given.has('S') ? one.below : 0);
      if (above !== undefined) {
        if (folder) above.below += size;
        else above.size += size;
      }
      const shown = level <= this.#depth && (folder || given.has('a') || level === 0);
      if (shown && (this.#threshold < 0 ? size <= -this.#threshold : size >= this.#threshold)) this.print(size, path);
    }
  }
}

function du(call: Call): number {
  const given = call.parse(DU);
  const { budget } = call.shell;
  const unitName = given.lastOf('h', 'si', 'k', 'm', 'b', 'B');
  const units: Readonly<Record<string, Unit | undefined>> = {
    ...{ h: 'binary', si: 'decimal', k: 1024, m: 1 << 20, b: 1, B: byteSize(given.last('B') ?? '') },
  };
  const unit = unitName === undefined ? 1024 : units[unitName];
  if (unit === undefined || unit === 0) {
    if (/^('|human-readable|si)/.test(given.last('B')!)) return call.unsupported(`du -B ${given.last('B')}`);
    return call.fail(`invalid --block-size argument '${given.last('B')}'`);
  }
  // -B 1K prints the unit too
  if (unitName === 'B' && /^[a-zA-Z]/.test(given.last('B')!)) return call.unsupported(`du -B ${given.last('B')}`);
  const depth = given.last('d');
  if (depth !== undefined && !/^[0-9]{1,9}$/.test(depth)) return call.fail(`invalid maximum depth '${depth}'`);
  if (given.has('s') && given.has('a')) return call.fail('cannot both summarize and show all entries');
  if (given.has('s') && depth !== undefined && Number(depth) !== 0)
    return call.fail(`summarizing conflicts with --max-depth=${depth}`);
  const least = given.last('t');
  const threshold = least === undefined ? 0 : byteSize(least.replace(/^-/, ''));
  if (threshold === undefined || least === '-0') return call.fail(`invalid --threshold argument '${least}'`);
  const patterns = given.order.flatMap(({ name, value }) =>
    name === 'exclude' ? [value] : name === 'X' ? linesOf(call.read(value)) : [],
  );
  const usage = new Usage(
    ...([call, given, patterns.map((pattern) => compilePath(pattern, budget)), unit] as const),
    given.has('s') ? 0 : depth === undefined ? Number.POSITIVE_INFINITY : Number(depth),
    least?.startsWith('-') ? -threshold : threshold,
  );
  let status = 0;
  for (const path of given.operands.length === 0 ? ['.'] : given.operands)
    if (!call.attempt(path, () => usage.operand(path))) status = 1;
  if (given.has('c')) usage.print(usage.total, 'total');
  return status || usage.status;
}

const FALLOCATE: Taken = {
  known: 'd,dig-holes l,length= n,keep-size o,offset= p,punch-hole v,verbose x,posix z,zero-range',
  missing: 'h V c,collapse-range i,insert-range w,write-zeroes',
};

/** `fallocate`: nothing is reserved in a tree, so that only sizes and ranges of zeros are left of it. */
function fallocate(call: Call): number {
  const given = call.parse(FALLOCATE);
  const { files } = call;
  const [path, more] = given.operands;
  if (path === undefined) return call.fail('no filename specified');
  if (more !== undefined) return call.fail('unexpected number of arguments');
  const kinds = ['d', 'p', 'x', 'z'].filter((name) => given.has(name));
  if (kinds.length > 1 || (given.has('x') && given.has('n'))) return call.fail('mutually exclusive arguments');
  const size = (name: string) => byteSize((given.last(name) ?? '').replace(/^0+(?=[0-9])/, ''));
  const digs = given.has('d');
  const length = given.has('l') ? size('l') : undefined;
  const offset = given.has('o') ? size('o') : 0;
  if (!digs && !given.has('l')) return call.fail('no length argument specified');
  if (given.has('l') && (length === undefined || length === 0)) return call.fail('invalid length value specified');
  if (offset === undefined) return call.fail('invalid offset value specified');
  return call.attempt(path, () => {
    const zeros = given.has('p') || given.has('z');
    const inode = digs || given.has('p') ? files.stat(path) : files.open(path);
    if (inode?.kind !== 'file') return;
    const old = inode.content.size;
    const end = offset + (length ?? 0);
    const grows = !digs && !given.has('n') && !given.has('p') && end > old;
    files.budget.length(grows ? end : old, 'a file');
    if (!zeros && !grows) return;
    const text = files.readInode(inode);
    const to = Math.min(end, Math.max(old, grows ? end : 0));
    files.budget.write(Math.max(0, to - Math.min(offset, old)));
    const head = text.slice(0, zeros ? offset : old);
    files.fill(inode, head.padEnd(to, '\0') + text.slice(Math.max(to, head.length)));
    files.touch(inode);
  })
    ? 0
    : 1;
}

/** Sizes of files and folders. */
export const USAGE_COMMANDS: Readonly<Record<string, Command>> = { du, fallocate };

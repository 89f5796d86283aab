import { BuildError } from '../../errors/error.ts';
import { type Kind, kindOf } from '../../tree/inode.ts';
import { type ContextLine, isContext } from './contexts.ts';

/**
 * The compiled form of file_contexts, which sefcontext_compile(8) writes. Behind the expressions it has what PCRE made of
 * them, which is skipped: only the same PCRE could use it. Versions 3 to 5 (libselinux 2.1 to 3.7) have a list in the byte
 * order of the machine; version 6 (3.8) has a tree in network byte order (libselinux, utils/sefcontext_compile.c).
 */

const MAGIC = 0xf97cff8a;
const VERSION = { mode: 3, prefix: 4, architecture: 5, tree: 6 } as const;
/** Levels of the tree at most, as libselinux has it. */
const DEPTH_MAX = 32;
/** LABEL_FILE_KIND_* of libselinux' label_file.h. */
const KINDS: readonly (Kind | undefined)[] = [
  undefined,
  'directory',
  'char',
  'block',
  'socket',
  'fifo',
  'symlink',
  'file',
];

/** Whether bytes are file_contexts in compiled form, in either byte order. */
export function isCompiled(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4);
  return view.getUint32(0) === MAGIC || view.getUint32(0, true) === MAGIC;
}

/**
 * Reads the lines of a compiled file_contexts, in the order in which the last one wins. Throws `CONTEXTS_COMPILED` with the
 * byte where it cannot be read.
 *
 * @param path of the file in the guest, for messages
 */
export function readCompiled(bytes: Uint8Array, path: string): ContextLine[] {
  const input = new Input(bytes, path);
  if (!isCompiled(bytes)) input.invalid('it does not begin with the magic number of compiled file_contexts');
  input.little = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) === MAGIC;
  input.u32();
  const version = input.u32();
  const tree = version === VERSION.tree && !input.little;
  if (!tree && (version < VERSION.mode || version > VERSION.architecture))
    input.invalid(`version ${version}, and 3 to 6 can be read`);
  const pcre = input.text(input.u32());
  if (version >= VERSION.architecture) input.text(input.u32());
  const lines = tree ? readTree(input) : readList(input, version, /^[0-8]\./.test(pcre));
  if (input.left > 0) input.invalid(`${input.left} bytes are left behind its end`);
  return lines;
}

/** The list of versions 3 to 5. */
function readList(input: Input, version: number, oldPcre: boolean): ContextLine[] {
  // the first directories of expressions, which are also in the expressions
  for (let stems = input.count(5); stems > 0; stems--) input.terminated(input.u32() + 1);
  const lines: ContextLine[] = [];
  for (let left = input.count(28), line = 1; left > 0; left--, line++) {
    const label = input.label(input.terminated(input.u32()));
    const expression = input.expression(input.terminated(input.u32()));
    const mode = input.u32();
    const kind = mode === 0 ? undefined : kindOf(mode);
    if (mode !== 0 && kind === undefined) input.invalid(`there are no files of mode ${mode.toString(8)}`);
    input.u32();
    const literal = input.u32() === 0 ? expression.replace(/\\(.)/g, '$1') : undefined;
    if (version >= VERSION.prefix) input.u32();
    input.skip(input.u32());
    // what PCRE 1 learned by studying an expression
    if (oldPcre) input.skip(input.u32());
    lines.push({ expression, kind, label, literal, line });
  }
  return lines;
}

/** The tree of version 6: lines with literals only, which win anyway, and then expressions in the order of the source. */
function readTree(input: Input): ContextLine[] {
  const total = input.u32() * 2 ** 32 + input.u32();
  const labels: (string | undefined)[] = [];
  for (let left = input.count(2); left > 0; left--) labels.push(input.label(input.text(input.u16())));
  const literals: ContextLine[] = [];
  const expressions: ContextLine[] = [];
  const label = () => {
    const number = input.u32();
    if (number === 0 || number > labels.length) input.invalid(`label ${number} of ${labels.length}`);
    return labels[number - 1];
  };
  const kind = () => {
    const number = input.u8();
    if (number >= KINDS.length) input.invalid(`kind of file ${number}`);
    return KINDS[number];
  };
  const node = (depth: number): void => {
    if (depth >= DEPTH_MAX) input.invalid(`more than ${DEPTH_MAX} directories below each other`);
    input.terminated(input.u16());
    for (let left = input.count(16); left > 0; left--) {
      const own = label();
      const expression = input.expression(input.terminated(input.u16()));
      const literal = input.terminated(input.u16());
      literals.push({ expression, literal, label: own, kind: kind(), line: literals.length + 1 });
    }
    for (let left = input.count(18); left > 0; left--) {
      const own = label();
      const line = input.u32();
      const expression = input.expression(input.terminated(input.u16()));
      input.u16();
      expressions.push({ expression, literal: undefined, label: own, kind: kind(), line });
      input.skip(input.u32());
    }
    for (let left = input.count(14); left > 0; left--) node(depth + 1);
  };
  node(0);
  if (literals.length + expressions.length !== total)
    input.invalid(`it has ${literals.length + expressions.length} lines, and says ${total}`);
  return [...literals, ...expressions.sort((a, b) => a.line - b.line)];
}

/** Bytes that are read from the start to the end, each length checked against what is left. */
class Input {
  little = false;
  private at = 0;
  private readonly view: DataView;
  private readonly bytes: Buffer;
  private readonly path: string;

  constructor(bytes: Uint8Array, path: string) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.path = path;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  invalid(reason: string): never {
    throw new BuildError('CONTEXTS_COMPILED', { path: this.path, offset: this.at, reason });
  }

  skip(size: number): number {
    if (size > this.left) this.invalid(`${size} bytes are expected, and ${this.left} are left`);
    this.at += size;
    return this.at - size;
  }

  u8(): number {
    return this.view.getUint8(this.skip(1));
  }

  u16(): number {
    return this.view.getUint16(this.skip(2), this.little);
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), this.little);
  }

  /** A number of records, of which each has at least so many bytes. */
  count(least: number): number {
    const found = this.u32();
    if (found * least > this.left) this.invalid(`${found} records in ${this.left} bytes`);
    return found;
  }

  text(size: number): string {
    const from = this.skip(size);
    return this.bytes.toString('latin1', from, from + size);
  }

  /** A text with a NUL at its end, which `size` counts. */
  terminated(size: number): string {
    const found = this.text(size);
    if (found.indexOf('\0') !== size - 1) this.invalid('a text without a NUL at its end, or with one before it');
    return found.slice(0, -1);
  }

  expression(text: string): string {
    if (!/^[\x20-\x7e]+$/.test(text)) this.invalid('an expression that is empty or has characters that are not ASCII');
    return text;
  }

  /** A label; undefined where a match means that the file gets none. */
  label(text: string): string | undefined {
    if (text === '<<none>>') return undefined;
    if (!isContext(text)) this.invalid(`"${text.slice(0, 100)}" is not a label`);
    return text;
  }
}

import { BuildError } from '../../errors/error.ts';
import type { Kind } from '../../tree/inode.ts';

/** A line of file_contexts: selabel_file(5), and libselinux' label_file.h. */
export interface ContextLine {
  /** The expression for whole paths, as it is written. */
  readonly expression: string;
  /** The kind of file the line is about; undefined: any. */
  readonly kind: Kind | undefined;
  /** The label; undefined where a match means that the file gets none (`<<none>>`). */
  readonly label: string | undefined;
  /** The path the line is about, when its expression has nothing but literals. */
  readonly literal: string | undefined;
  readonly line: number;
}

/** A prefix of paths and what stands in its place when labels are looked up: lines of file_contexts.subs. */
export interface Substitution {
  readonly from: string;
  readonly to: string;
}

const KINDS: ReadonlyMap<string, Kind> = new Map(
  Object.entries({
    '--': 'file',
    '-d': 'directory',
    '-l': 'symlink',
    '-c': 'char',
    '-b': 'block',
    '-p': 'fifo',
    '-s': 'socket',
  }),
);

/** user:role:type, and a level or range of levels where the policy has them. */
const LABEL =
  /^[A-Za-z_][\w.-]*:[A-Za-z_][\w.-]*:[A-Za-z_][\w.-]*(:s\d+(:c\d+([.,]c\d+)*)?(-s\d+(:c\d+([.,]c\d+)*)?)?)?$/;

/** True for a label, as a line of file_contexts has it. */
export const isContext = (text: string): boolean => LABEL.test(text);

/**
 * Reads file_contexts. Throws `CONTEXTS_INVALID` with file and line.
 *
 * @param path of the file in the guest, for messages
 */
export function parseContexts(text: string, path: string): ContextLine[] {
  const out: ContextLine[] = [];
  for (const [i, whole] of text.split('\n').entries()) {
    const fields = whole.trim().split(/[ \t]+/);
    if (fields[0] === '' || fields[0]!.startsWith('#')) continue;
    const invalid = (reason: string) => new BuildError('CONTEXTS_INVALID', { path, line: i + 1, reason });
    if (!/^[\x21-\x7e \t]*$/.test(whole.trim())) throw invalid('it has characters that are not ASCII');
    if (fields.length < 2 || fields.length > 3) throw invalid('expected an expression, a type if any, and a label');
    const [expression, type] = fields as [string, string];
    const kind = fields.length === 3 ? KINDS.get(type) : undefined;
    if (fields.length === 3 && kind === undefined)
      throw invalid(`"${type}" is no type of files: expected one of ${[...KINDS.keys()].join(' ')}`);
    const label = fields.at(-1)!;
    if (label !== '<<none>>' && !isContext(label)) throw invalid(`"${label}" is not a label`);
    out.push({
      ...{ expression, kind, line: i + 1, literal: literalOf(expression) },
      label: label === '<<none>>' ? undefined : label,
    });
  }
  return out;
}

/** The only text an expression matches, if there is just one; as libselinux 3.8's regex_has_meta_chars and before. */
function literalOf(expression: string): string | undefined {
  if (/(^|[^\\])(\\\\)*[.^$?*+|[({]/.test(expression)) return undefined;
  // an escape of anything else may have a meaning of its own
  if (/\\[^.^$?*+|[({\])}\-_,]/.test(expression)) return undefined;
  return expression.replace(/\\(.)/g, '$1');
}

/** The longest text that every path which an expression matches begins with, up to a `/` or all of it. */
export function literalStart(expression: string): string {
  if (topLevelAlternative(expression)) return '';
  let out = '';
  for (let i = 0; i < expression.length; ) {
    const escaped = expression[i] === '\\';
    const c = escaped ? expression[i + 1] : expression[i];
    if (c === undefined || (!escaped && /[.^$?*+|[({)]/.test(c)) || (escaped && /[A-Za-z0-9]/.test(c))) break;
    const after = i + (escaped ? 2 : 1);
    // a character that may be missing or repeated is not literal
    if (/^[?*{]/.test(expression.slice(after, after + 1))) break;
    out += c;
    i = after;
  }
  return out;
}

function topLevelAlternative(expression: string): boolean {
  let depth = 0;
  for (let i = 0; i < expression.length; i++) {
    const c = expression[i];
    if (c === '\\') i++;
    else if (c === '[') {
      i++;
      if (expression[i] === '^') i++;
      if (expression[i] === ']') i++;
      while (i < expression.length && expression[i] !== ']') i += expression[i] === '\\' ? 2 : 1;
    } else if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (c === '|' && depth === 0) return true;
  }
  return false;
}

/** Reads file_contexts.subs or file_contexts.subs_dist. Throws `CONTEXTS_INVALID`. */
export function parseSubstitutions(text: string, path: string): Substitution[] {
  const out: Substitution[] = [];
  for (const [i, whole] of text.split('\n').entries()) {
    const fields = whole.trim().split(/[ \t]+/);
    if (fields[0] === '' || fields[0]!.startsWith('#')) continue;
    const [from, to] = fields;
    if (fields.length !== 2 || !from!.startsWith('/') || !to!.startsWith('/'))
      throw new BuildError('CONTEXTS_INVALID', { path, line: i + 1, reason: 'expected two absolute paths' });
    out.push({ from: from!, to: to! });
  }
  return out;
}

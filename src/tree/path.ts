import { BuildError } from '../errors/error.ts';

/**
 * Names and paths are *byte strings*: one character (0 … 255) per byte, because a Linux file name is any bytes except
 * NUL and `/`. So plain string comparison is byte order, and `.length` is the length on disk. Convert at the edges:
 * {@link fromText} for text from users, {@link display} for messages.
 *
 * A path inside the tree has no leading slash and no `.` or `..` parts; the root is the empty string.
 */

/** Longest name the kernel accepts, in bytes. */
export const NAME_MAX = 255;
/** Longest path the kernel accepts, in bytes, including the terminating NUL. */
export const PATH_MAX = 4096;

/**
 * Text as a byte string (its UTF-8 bytes).
 *
 * @example
 * ```ts
 * import { fromText, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.writeFile(fromText('grün.txt'), 'x');
 * console.log(fromText('grün').length, tree.has(fromText('grün.txt'))); // prints: 5 true
 * ```
 */
export function fromText(text: string): string {
  // ASCII, by far the most frequent, is its own byte string
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * A byte string as text for display: UTF-8 if valid, else bytes escaped as `\xff`; control characters escaped.
 *
 * @example
 * ```ts
 * import { display, fromText } from 'osbuilder';
 *
 * console.log(display(fromText('grün')), display('\xff\n')); // prints: grün \xff\x0a
 * ```
 */
export function display(name: string): string {
  let text = name;
  if (!/^[\x00-\x7f]*$/.test(name)) {
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(name, 'latin1'));
    } catch {
      text = name.replace(/[\x80-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
    }
  }
  return text.replace(/[\x00-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/**
 * A byte string as text, losslessly for valid UTF-8.
 *
 * @example
 * ```ts
 * import { fromText, toText } from 'osbuilder';
 *
 * console.log(toText(fromText('grün'))); // prints: grün
 * ```
 */
export function toText(name: string): string {
  return /^[\x00-\x7f]*$/.test(name) ? name : Buffer.from(name, 'latin1').toString('utf8');
}

/** The parts of a path: empty and `.` parts dropped, `..` kept. */
export function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** A tree path in canonical form: no leading, doubled or trailing slashes, no `.`; `..` never leaves the root. */
export function normal(path: string): string {
  const kept: string[] = [];
  for (const part of parts(path)) {
    if (part === '..') kept.pop();
    else kept.push(part);
  }
  return kept.join('/');
}

/** An empty, `.` or `..` part, or a NUL. */
const UNUSUAL = /(?:^|\/)\.{0,2}(?:\/|$)|\0/;

/**
 * Makes a path from an archive safe, or rejects it. A leading `./` or `/` is dropped; a `..` part is rejected
 * wherever it would lead (zip-slip); so are NULs and names or paths longer than the kernel accepts.
 */
export function safePath(path: string, source: string): string {
  // nearly every path is in this plain form, but for what tar puts around it, and there are tens of thousands of them
  const plain = path.slice(path.startsWith('./') ? 2 : 0, path.endsWith('/') ? -1 : path.length);
  if (plain.length <= NAME_MAX && !UNUSUAL.test(plain)) return plain;
  const kept = parts(path);
  for (const part of kept) {
    if (part === '..') throw new BuildError('PATH_ESCAPES', { path: display(path), source });
    if (part.length > NAME_MAX)
      throw new BuildError('PATH_INVALID', {
        path: display(path),
        source,
        reason: `a name of ${part.length} bytes, ${NAME_MAX} is the limit`,
      });
  }
  const joined = kept.join('/');
  if (joined.includes('\0'))
    throw new BuildError('PATH_INVALID', { path: display(path), source, reason: 'it contains a NUL byte' });
  if (joined.length >= PATH_MAX)
    throw new BuildError('PATH_INVALID', {
      path: display(path.slice(0, 80)) + '…',
      source,
      reason: `it is ${joined.length} bytes long, ${PATH_MAX - 1} is the limit`,
    });
  return joined;
}

/** The directory part of a tree path; that of a top-level name is the root. */
export function dirname(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The last name of a tree path. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Joins a directory path and a name. */
export function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

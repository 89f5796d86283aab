import { withoutSlashes } from '../../../bytes/ending.ts';
import { FileError, Files } from '../../../shell/files.ts';
import type { Budget } from '../../../shell/limits.ts';
import type { Inode } from '../../../tree/inode.ts';
import type { Place } from '../../../tree/tree.ts';
import { type Binding, LuaError, type LuaFunction, type LuaValue, text } from './binding.ts';
import { failure, stringAt } from './failure.ts';

/** Functions of a library by name. */
export type Functions = Readonly<Record<string, LuaValue>>;

/** Calls of the system on paths of the tree; results as the libraries return them. */
export class Calls {
  readonly binding: Binding;
  readonly files: Files;

  constructor(binding: Binding, budget: Budget) {
    this.binding = binding;
    this.files = new Files(binding.tree, budget, binding.context.epoch);
    binding.files = this.files;
  }

  /** Runs an action; what the system rejects is a failed call, not an error of the script. */
  attempt(path: string | undefined, action: () => readonly LuaValue[]): readonly LuaValue[] {
    try {
      return action();
    } catch (error) {
      if (error instanceof FileError) return failure(path, error.reason);
      throw error;
    }
  }

  /** A function whose first argument is a path. */
  onPath(act: (path: string, args: readonly LuaValue[]) => readonly LuaValue[]): LuaFunction {
    return (args) => {
      const path = stringAt(args, 0);
      return path === '' ? failure(path, 'No such file or directory') : this.attempt(path, () => act(path, args));
    };
  }

  /** A function of two paths, whose failures name none. */
  onPaths(act: (first: string, second: string) => void, done: LuaValue = 0): LuaFunction {
    return (args) => {
      const [first, second] = [stringAt(args, 0), stringAt(args, 1)];
      return this.attempt(undefined, () => {
        act(first, second);
        return [done];
      });
    };
  }

  /** The place of what has a name of its own; a slash at its end asks for a directory. */
  named(path: string): Place & { readonly inode: Inode } {
    const plain = withoutSlashes(path);
    const place = this.files.place(plain);
    if (place.inode === undefined) throw new FileError('No such file or directory');
    if (plain !== path && place.inode.kind !== 'directory') throw new FileError('Not a directory');
    return { ...place, inode: place.inode };
  }

  removeDirectory(path: string): void {
    if (/(^|\/)\.$/.test(path)) throw new FileError('Invalid argument');
    if (/(^|\/)\.\.$/.test(path)) throw new FileError('Directory not empty');
    const { inode, name, parent } = this.named(path);
    if (inode.kind !== 'directory') throw new FileError('Not a directory');
    if (name === '') throw new FileError('Device or resource busy');
    if (inode.children.size > 0) throw new FileError('Directory not empty');
    parent.children.delete(name);
    this.files.touch(parent);
  }

  removeFile(path: string): void {
    this.named(path);
    this.files.unlink(path);
  }

  rename(from: string, to: string): void {
    if (/(^|\/)\.\.?$/.test(from) || /(^|\/)\.\.?$/.test(to)) throw new FileError('Device or resource busy');
    const moved = this.named(from);
    const place = this.files.place(withoutSlashes(to));
    const { inode } = moved;
    const isDirectory = inode.kind === 'directory';
    if (moved.name === '' || place.name === '') throw new FileError('Device or resource busy');
    if (to.endsWith('/') && !isDirectory) throw new FileError('Not a directory');
    if (inode === place.inode) return;
    if (isDirectory && `${place.path}/`.startsWith(`${moved.path}/`)) throw new FileError('Invalid argument');
    if (`${moved.path}/`.startsWith(`${place.path}/`)) throw new FileError('Directory not empty');
    if (place.inode !== undefined) {
      const overDirectory = place.inode.kind === 'directory';
      if (isDirectory !== overDirectory) throw new FileError(isDirectory ? 'Not a directory' : 'Is a directory');
      if (place.inode.kind === 'directory' && place.inode.children.size > 0) throw new FileError('Directory not empty');
    }
    moved.parent.children.delete(moved.name);
    this.files.touch(moved.parent);
    this.files.put(place, inode);
  }

  /** All names in a directory. */
  names(path: string): string[] {
    const all = ['.', '..', ...this.files.list(path)];
    this.binding.charge(all.length);
    return all;
  }
}

/** The field that a script asks for by its name. */
export function fieldOf(fields: Readonly<Record<string, LuaValue>>, selector: LuaValue): LuaValue {
  const name = text(selector);
  if (!Object.hasOwn(fields, name)) throw new LuaError(`bad argument #2 (invalid option '${name}')`);
  return fields[name];
}

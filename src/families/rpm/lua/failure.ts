import type { LuaValue } from './binding.ts';

/** What a failed call of the system says. */
const ERRORS = {
  ENOENT: ['No such file or directory', 2],
  EEXIST: ['File exists', 17],
  ENOTDIR: ['Not a directory', 20],
  EISDIR: ['Is a directory', 21],
  EACCES: ['Permission denied', 13],
  EINVAL: ['Invalid argument', 22],
  ENOTEMPTY: ['Directory not empty', 39],
} as const;

/** `nil, "PATH: MESSAGE", NUMBER`, as the libraries return it; those with two paths name none. */
export function failure(path: string, error: keyof typeof ERRORS): readonly LuaValue[] {
  const [message, number] = ERRORS[error];
  return [undefined, path === '' ? message : `${path}: ${message}`, number];
}

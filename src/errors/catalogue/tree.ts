/** Errors about paths and the tree of files. Codes are stable: programs match on them. */
export const TREE = {
  PATH_ESCAPES: (c: { path: string; source: string }) => `${c.source}: the path "${c.path}" leads out of the root`,
  PATH_INVALID: (c: { path: string; source: string; reason: string }) =>
    `${c.source}: the path "${c.path}" cannot be used: ${c.reason}`,
  PATH_LOOP: (c: { path: string }) => `/${c.path}: too many levels of symbolic links`,
  NOT_A_DIRECTORY: (c: { path: string; at: string; source?: string }) =>
    `${c.source === undefined ? '' : `${c.source}: `}/${c.path}: /${c.at} is not a directory`,
  NO_SUCH_PATH: (c: { path: string; where?: string }) =>
    `/${c.path}: no such file or directory in ${c.where ?? 'the rootfs'}`,
  NOT_A_FILE: (c: { path: string; kind: string }) => `/${c.path} is not a regular file but a ${c.kind}`,
  PATH_EXISTS: (c: { path: string }) => `/${c.path} exists already`,
} as const;

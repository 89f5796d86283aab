/** Errors about archives, and about writing them into a tree or a directory. Codes are stable: programs match on them. */
export const ARCHIVES = {
  AR_CORRUPT: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: corrupt ar archive at byte ${c.offset}: ${c.reason}`,
  TAR_CORRUPT: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: corrupt tar archive at byte ${c.offset}: ${c.reason}`,
  CPIO_CORRUPT: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: corrupt cpio archive at byte ${c.offset}: ${c.reason}`,
  ARCHIVE_UNSUPPORTED: (c: { path: string; offset: number; what: string }) =>
    `${c.path}: at byte ${c.offset}: ${c.what} is not supported`,
  ENTRY_NOT_STORABLE: (c: { path: string; format: string; reason: string }) =>
    `/${c.path} cannot be stored as ${c.format}: ${c.reason}`,
  ENTRY_CONFLICT: (c: { path: string; source: string; kind: string; existing: string }) =>
    `${c.source}: /${c.path} is a ${c.kind}, but a ${c.existing} is there already`,
  ENTRY_KIND: (c: { path: string; source: string; kind: string }) =>
    `${c.source}: /${c.path} is of an unknown kind (${c.kind})`,
  LINK_TARGET_MISSING: (c: { path: string; source: string; target: string }) =>
    `${c.source}: /${c.path} is a hard link to "${c.target}", which is not there`,
  LINK_TARGET_INVALID: (c: { path: string; source: string; target: string; reason: string }) =>
    `${c.source}: /${c.path} cannot be a hard link to "${c.target}": ${c.reason}`,
  LAYER_INCOMPLETE: (c: { path: string; source: string; attribute: string }) =>
    `${c.source}: /${c.path} is only a part of a file (${c.attribute}): the rest is in a lower layer that is not here`,
  DIRECTORY_NOT_OURS: (c: { path: string; foreign: string }) =>
    c.foreign === ''
      ? `${c.path} exists and is not a folder`
      : `the folder ${c.path} has files that this program did not write, such as ${c.foreign}`,
  MANIFEST_INVALID: (c: { path: string; line: number; reason: string }) => `${c.path}, line ${c.line}: ${c.reason}`,
} as const;

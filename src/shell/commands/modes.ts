import type { Inode, Kind } from '../../tree/inode.ts';

/** Letters of kinds of files, as `ls -l` prints them. */
const KIND_LETTERS: Readonly<Record<Kind, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
};

/** Mode in letters, as printed by `ls -l`. */
export function modeText(inode: Inode): string {
  return KIND_LETTERS[inode.kind] + permissionText(inode.mode);
}

/** The nine letters of a mode. */
export function permissionText(mode: number): string {
  let text = '';
  for (let shift = 6; shift >= 0; shift -= 3) {
    const bits = (mode >> shift) & 7;
    text += (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-');
    const special = (mode >> (9 + shift / 3)) & 1;
    const letter = shift === 0 ? 't' : 's';
    text += special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? 'x' : '-';
  }
  return text;
}

/** Size as stat(2) gives it; a directory counts as one block. */
export const sizeOf = (inode: Inode) =>
  inode.kind === 'file'
    ? inode.content.size
    : inode.kind === 'symlink'
      ? inode.target.length
      : inode.kind === 'directory'
        ? 4096
        : 0;

/** Blocks of 512 bytes that a file takes on a file system with blocks of 4 KiB. */
export const blocksOf = (inode: Inode) =>
  inode.kind === 'symlink' && inode.target.length < 60 ? 0 : Math.ceil(sizeOf(inode) / 4096) * 8;

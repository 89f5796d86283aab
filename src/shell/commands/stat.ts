import type { Inode, Kind } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import { takeEscapes } from '../escapes.ts';
import type { Taken } from '../given.ts';
import { strftime } from '../strftime.ts';
import { blocksOf, modeText, sizeOf } from './modes.ts';
import { groupName, userName } from './owners.ts';

const STAT: Taken = { known: 'L,dereference f,file-system c,format= printf= t,terse cached=' };
const KIND_NAMES: Readonly<Record<Kind, string>> = {
  file: 'regular file',
  directory: 'directory',
  symlink: 'symbolic link',
  char: 'character special file',
  block: 'block special file',
  fifo: 'fifo',
  socket: 'socket',
};
/** File type bits of st_mode. */
const TYPE_BITS: Readonly<Record<Kind, number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
};

function field(letter: string, path: string, inode: Inode, call: Call): string | undefined {
  const { files } = call;
  const device = inode.kind === 'char' || inode.kind === 'block' ? inode : { major: 0, minor: 0 };
  switch (letter) {
    case 'a':
      return inode.mode.toString(8);
    case 'A':
      return modeText(inode);
    case 'b':
      return String(blocksOf(inode));
    case 'B':
      return '512';
    case 'C':
      return '?';
    case 'd':
      return '1';
    case 'D':
      return '1';
    case 'f':
      return (TYPE_BITS[inode.kind] | inode.mode).toString(16);
    case 'F':
      return inode.kind === 'file' && inode.content.size === 0 ? 'regular empty file' : KIND_NAMES[inode.kind];
    case 'g':
      return String(inode.gid);
    case 'G':
      return groupName(files, inode.gid);
    case 'h':
      return String(files.linkCounts().get(inode) ?? 1);
    case 'i':
      return '1';
    case 'm':
      return '/';
    case 'n':
      return path;
    case 'N':
      return `'${path}'${inode.kind === 'symlink' ? ` -> '${inode.target}'` : ''}`;
    case 'o':
      return '4096';
    case 's':
      return String(sizeOf(inode));
    case 't':
      return device.major.toString(16);
    case 'T':
      return device.minor.toString(16);
    case 'r':
      return String(device.major * 256 + device.minor);
    case 'R':
      return (device.major * 256 + device.minor).toString(16);
    case 'u':
      return String(inode.uid);
    case 'U':
      return userName(files, inode.uid);
    case 'w':
    case 'x':
    case 'y':
    case 'z':
      return letter === 'w' ? '-' : strftime('%F %T.%N %z', inode.mtime, inode.nanoseconds ?? 0);
    case 'W':
      return '0';
    case 'X':
    case 'Y':
    case 'Z':
      return String(inode.mtime);
    default:
      return undefined;
  }
}

/** What is printed without a format. */
const FULL = `  File: %N
  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F
Device: %Hd,%Ld\tInode: %-11i Links: %h
Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)
Access: %x
Modify: %y
Change: %z
 Birth: %w`;

function stat(call: Call): number {
  const given = call.parse(STAT);
  if (given.has('f')) return call.unsupported('stat -f: a guest has no file system before its image is made');
  const { files } = call;
  if (given.operands.length === 0) return call.fail('missing operand');
  const raw = given.last('printf');
  const terse = given.has('t') ? '%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o' : undefined;
  const format = raw ?? given.last('c') ?? terse ?? FULL;
  let status = 0;
  for (const path of given.operands) {
    const done = call.attempt(path, () => {
      const inode = files.stat(path, given.has('L'));
      // %Hd and %Ld are the parts of device numbers
      const text = format.replace(
        /%([-#0+ ']*)([0-9]*)(?:\.([0-9]*))?([HL]?)([a-zA-Z%])/g,
        (all, flags: string, width: string, precision, part: string, letter: string) => {
          if (letter === '%') return '%';
          let value = part === '' ? field(letter, path, inode, call) : undefined;
          if (part !== '' && (letter === 'r' || letter === 'd'))
            value =
              letter === 'd' ? '0' : String(Number.parseInt(field(part === 'H' ? 't' : 'T', path, inode, call)!, 16));
          if (value === undefined) return part === '' ? '?' : all;
          if ('XYZ'.includes(letter) && precision !== undefined && precision !== '0')
            value += `.${String(inode.nanoseconds ?? 0)
              .padStart(9, '0')
              .slice(0, Number(precision || 9))}`;
          if (flags.includes('#') && letter === 'a') value = `0${value}`;
          if (flags.includes('#') && letter === 'f') value = `0x${value}`;
          const size = Math.min(Number(width || 0), 1000);
          if (flags.includes('-')) return value.padEnd(size);
          return value.padStart(size, flags.includes('0') && !'AFGnNU'.includes(letter) ? '0' : ' ');
        },
      );
      call.out(raw === undefined ? `${text}\n` : takeEscapes(text, false).text);
    });
    if (!done) status = 1;
  }
  return status;
}

/** Attributes of files. */
export const STAT_COMMANDS: Readonly<Record<string, Command>> = { stat };

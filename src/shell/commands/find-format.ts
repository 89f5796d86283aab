import type { Call } from '../command.ts';
import { strftime } from '../strftime.ts';
import { FIND_KINDS, type Found } from './found.ts';
import { blocksOf, modeText, sizeOf } from './modes.ts';
import { groupName, userName } from './owners.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '0': '\0', '\\': '\\' },
};

const letterOf = (kind: string) => Object.keys(FIND_KINDS).find((letter) => FIND_KINDS[letter] === kind) ?? 'U';

function field(letter: string, found: Found, call: Call): string | undefined {
  const { inode, path, name, depth, start } = found;
  const { files } = call;
  switch (letter) {
    case 'p':
      return path;
    case 'f':
      return name;
    case 'h':
      return path.includes('/') ? path.replace(/\/+[^/]*\/*$/, '') || (path.startsWith('/') ? '' : '.') : '.';
    case 'P':
      return depth === 0 ? '' : path.slice(start.length).replace(/^\//, '');
    case 'H':
      return start;
    case 's':
      return String(sizeOf(inode));
    case 'b':
      return String(blocksOf(inode));
    case 'k':
      return String(blocksOf(inode) / 2);
    case 'm':
      return inode.mode.toString(8);
    case 'M':
      return modeText(inode);
    case 'u':
      return userName(files, inode.uid);
    case 'g':
      return groupName(files, inode.gid);
    case 'U':
      return String(inode.uid);
    case 'G':
      return String(inode.gid);
    case 'l':
      return inode.kind === 'symlink' ? inode.target : '';
    case 'y':
      return letterOf(inode.kind);
    case 'Y': {
      const target = inode.kind === 'symlink' ? files.find(path) : inode;
      return target === undefined ? 'N' : letterOf(target.kind);
    }
    case 'd':
      return String(depth);
    case 'n':
      return String(files.linkCounts().get(inode) ?? 1);
    case 't':
    case 'a':
    case 'c':
      return strftime('%a %b %e %T.%N0 %Y', inode.mtime, inode.nanoseconds ?? 0);
    case 'D':
    case 'i':
      return '1';
    default:
      return undefined;
  }
}

/** Text of -printf for one file. */
export function formatFound(format: string, found: Found, call: Call): string {
  const { inode } = found;
  const pattern = /%([-0+ #]*)([0-9]*)(?:\.([0-9]+))?(?:([TAC])(.)|([a-zA-Z%]))|\\([0-7]{1,3})|\\(c[\s\S]*|.)/gs;
  return format.replace(
    pattern,
    (
      all,
      flags: string | undefined,
      width: string | undefined,
      precision: string | undefined,
      _time,
      time?: string,
      letter?: string,
      octal?: string,
      escaped?: string,
    ) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255);
      if (escaped !== undefined) return escaped.startsWith('c') ? '' : (ESCAPES[escaped] ?? all);
      if (letter === '%') return '%';
      let value: string | undefined;
      if (time === '@') value = `${inode.mtime}.${String(inode.nanoseconds ?? 0).padStart(9, '0')}0`;
      else if (time === '+') value = strftime('%F+%T.%N0', inode.mtime, inode.nanoseconds ?? 0);
      else if (time === 'S')
        value = `${strftime('%S', inode.mtime)}.${String(inode.nanoseconds ?? 0).padStart(9, '0')}0`;
      else if (time === 'T') value = strftime('%T.%N0', inode.mtime, inode.nanoseconds ?? 0);
      else if (time !== undefined) value = strftime(`%${time}`, inode.mtime);
      else value = field(letter!, found, call);
      if (value === undefined) return all;
      if (precision !== undefined) value = value.slice(0, Number(precision));
      const size = Math.min(Number(width || 0), 1000);
      if (flags?.includes('-')) return value.padEnd(size);
      return value.padStart(size, flags?.includes('0') && /^[smUGdnk]$/.test(letter ?? '') ? '0' : ' ');
    },
  );
}

import { createHash } from 'node:crypto';
import type { Call, Command } from '../command.ts';
import type { Given, Taken } from '../given.ts';
import { inputs, linesOf } from './lines.ts';

const DIGEST: Taken = {
  known: 'b,binary c,check t,text z,zero quiet status strict w,warn ignore-missing tag',
};

/** Digests of files; `-c` checks a list. */
function digest(call: Call): number {
  const given = call.parse(DIGEST);
  const algorithm = call.name.replace('sum', '');
  const hash = (path: string) =>
    createHash(algorithm)
      .update(Buffer.from(call.read(path), 'latin1'))
      .digest('hex');
  let status = 0;
  for (const path of given.operands.length === 0 ? ['-'] : given.operands) {
    const done = call.attempt(path, () => {
      if (given.has('c')) {
        if (checkList(call, given, path, algorithm, hash) !== 0) status = 1;
        return;
      }
      const escaped = !given.has('z') && /[\\\n\r]/.test(path);
      const name = escaped ? path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r') : path;
      const end = given.has('z') ? '\0' : '\n';
      const start = escaped ? '\\' : '';
      if (given.has('tag')) call.out(`${start}${algorithm.toUpperCase()} (${name}) = ${hash(path)}${end}`);
      else call.out(`${start}${hash(path)} ${given.lastOf('b', 't') === 'b' ? '*' : ' '}${name}${end}`);
    });
    if (!done) status = 1;
  }
  return status;
}

/** Checks the files that a list of digests names. */
function checkList(call: Call, given: Given, path: string, algorithm: string, hash: (path: string) => string): number {
  const length = hash('/dev/null').length;
  let good = 0;
  let wrong = 0;
  let missing = 0;
  let malformed = 0;
  for (const line of linesOf(call.read(path))) {
    call.shell.budget.spend();
    const tagged = /^\\?([A-Za-z0-9]+) \((.*)\) = ([0-9a-fA-F]+)$/.exec(line);
    const plain = /^\\?([0-9a-fA-F]+) [ *](.*)$/.exec(line);
    const [name, expected] =
      tagged !== null && tagged[1]!.toLowerCase() === algorithm
        ? [tagged[2]!, tagged[3]!]
        : [plain?.[2], plain?.[1] ?? ''];
    if (name === undefined || expected.length !== length) {
      if (line !== '') malformed++;
      continue;
    }
    if (call.files.find(name)?.kind !== 'file' && name !== '-') {
      if (given.has('ignore-missing')) continue;
      missing++;
      call.complain(`${name}: No such file or directory`);
      if (!given.has('status')) call.out(`${name}: FAILED open or read\n`);
      continue;
    }
    const matches = hash(name) === expected.toLowerCase();
    if (matches) good++;
    else wrong++;
    if (!given.has('status') && !(matches && given.has('quiet'))) call.out(`${name}: ${matches ? 'OK' : 'FAILED'}\n`);
  }
  if (good + wrong + missing === 0) return call.fail(`${path}: no properly formatted checksum lines found`);
  if (!given.has('status')) {
    if (wrong > 0) call.complain(`WARNING: ${wrong} computed checksum did NOT match`);
    if (missing > 0) call.complain(`WARNING: ${missing} listed file could not be read`);
  }
  return wrong + missing > 0 ||
    (malformed > 0 && given.has('strict')) ||
    (given.has('ignore-missing') && good + wrong === 0)
    ? 1
    : 0;
}

const BASE: Taken = { known: 'd,decode i,ignore-garbage w,wrap=' };
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function base(call: Call): number {
  const given = call.parse(BASE);
  if (given.operands.length > 1) return call.fail(`extra operand '${given.operands[1]}'`);
  const bits = call.name === 'base64' ? 6 : 5;
  const text = call.read(given.operands[0] ?? '-');
  call.shell.budget.scan(text.length * 4);
  if (given.has('d')) {
    const alphabet = bits === 6 ? /[^A-Za-z0-9+/=]/g : /[^A-Z2-7=]/g;
    const clean = given.has('i') ? text.replace(alphabet, '') : text.replace(/\n/g, '');
    const bad = clean.search(alphabet);
    const valid = bad < 0 ? clean : clean.slice(0, bad);
    call.out(bits === 6 ? Buffer.from(valid, 'base64').toString('latin1') : fromBase32(valid));
    return bad >= 0 || clean.length % (bits === 6 ? 4 : 8) !== 0 ? call.fail('invalid input') : 0;
  }
  const wrap = given.last('w') ?? '76';
  if (!/^[0-9]+$/.test(wrap)) return call.fail(`invalid wrap size: '${wrap}'`);
  const width = Number(wrap);
  const coded = bits === 6 ? Buffer.from(text, 'latin1').toString('base64') : toBase32(text);
  if (width === 0) call.out(coded);
  else {
    let out = '';
    for (let at = 0; at < coded.length; at += width) out += `${coded.slice(at, at + width)}\n`;
    call.out(out);
  }
  return 0;
}

function toBase32(text: string): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    value = ((value << 8) | text.charCodeAt(i)) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) out += BASE32[(value >> (bits - 5)) & 31];
  }
  if (bits > 0) out += BASE32[(value << (5 - bits)) & 31];
  return out.padEnd(Math.ceil(out.length / 8) * 8, '=');
}

function fromBase32(text: string): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (const c of text) {
    if (c === '=') break;
    value = ((value << 5) | BASE32.indexOf(c)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out += String.fromCharCode((value >> bits) & 255);
    }
  }
  return out;
}

const CRC = Array.from({ length: 256 }, (_, i) => {
  let c = i << 24;
  for (let bit = 0; bit < 8; bit++) c = c & 0x80000000 ? (c << 1) ^ 0x04c11db7 : c << 1;
  return c >>> 0;
});
const CKSUM: Taken = {
  known: '',
  missing:
    'a,algorithm= untagged l,length= tag c,check base64 raw z,zero ignore-missing quiet status strict w,warn debug',
};

/** `cksum`: the checksum of POSIX. */
function cksum(call: Call): number {
  const given = call.parse(CKSUM);
  const { texts, status } = inputs(call, given.operands);
  for (const { path, text } of texts) {
    call.shell.budget.scan(text.length * 4);
    let crc = 0;
    const add = (byte: number) => {
      crc = ((crc << 8) ^ CRC[((crc >>> 24) ^ byte) & 255]!) >>> 0;
    };
    for (let i = 0; i < text.length; i++) add(text.charCodeAt(i));
    for (let n = text.length; n > 0; n = Math.floor(n / 256)) add(n & 255);
    call.out(`${~crc >>> 0} ${text.length}${given.operands.length > 0 ? ` ${path}` : ''}\n`);
  }
  return status;
}

const OD: Taken = {
  known: 'A,address-radix= j,skip-bytes= N,read-bytes= t,format= v,output-duplicates w,width=? a b c d o s x i',
  missing: 'S,strings=? f F e h H l L D O X B I endian= traditional',
};
const NAMES =
  'nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp'.split(
    ' ',
  );
const CHARS: Readonly<Record<number, string>> = {
  0: '\\0',
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
};
const LETTERS: Readonly<Record<string, string>> = {
  a: 'a',
  b: 'o1',
  c: 'c',
  d: 'u2',
  o: 'o2',
  s: 'd2',
  x: 'x2',
  i: 'd4',
};

/** How one output line shows its bytes. */
interface DumpFormat {
  readonly size: number;
  readonly width: number;
  readonly chars: boolean;
  show(bytes: string): string;
}

function dumpFormat(text: string): DumpFormat | undefined {
  const match = /^([acdoux])([1248CSIL]?)(z?)$/.exec(text);
  if (match === null) return undefined;
  const [, kind, size, chars] = match;
  if (kind === 'a' || kind === 'c')
    return {
      ...{ size: 1, width: 4, chars: chars === 'z' },
      show: (byte) => {
        const c = byte.charCodeAt(0);
        if (kind === 'a') return c === 127 ? 'del' : (NAMES[c & 127] ?? String.fromCharCode(c & 127));
        return CHARS[c] ?? (c >= 32 && c < 127 ? String.fromCharCode(c) : c.toString(8).padStart(3, '0'));
      },
    };
  const bytes = { C: 1, S: 2, I: 4, L: 8, '': 4 }[size!] ?? Number(size);
  const radix = kind === 'o' ? 8 : kind === 'x' ? 16 : 10;
  const digits = ((1n << BigInt(bytes * 8)) - 1n).toString(radix).length;
  const width = kind === 'd' ? (1n << BigInt(bytes * 8 - 1)).toString().length + 1 : digits;
  return {
    ...{ size: bytes, width: width + 1, chars: chars === 'z' },
    show: (raw) => {
      let value = 0n;
      for (let i = raw.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw.charCodeAt(i));
      if (kind === 'd') return BigInt.asIntN(bytes * 8, value).toString();
      const out = value.toString(radix);
      return kind === 'u' ? out : out.padStart(digits, '0');
    },
  };
}

function byteCount(text: string): number | undefined {
  const match = /^(0x[0-9a-fA-F]+|[0-9]+)([bkKmM]?)$/.exec(text);
  if (match === null) return undefined;
  const unit = { b: 512, k: 1024, K: 1024, m: 1 << 20, M: 1 << 20 }[match[2]!] ?? 1;
  return (/^0[0-7]+$/.test(match[1]!) ? Number.parseInt(match[1]!, 8) : Number(match[1])) * unit;
}

function od(call: Call): number {
  const given = call.parse(OD);
  const specs = given.order.flatMap(({ name, value }) =>
    name === 't'
      ? (value.match(/[acdouxf][1248CSILFD]?z?/g) ?? [value])
      : LETTERS[name] === undefined
        ? []
        : [LETTERS[name]],
  );
  const formats = (specs.length === 0 ? ['o2'] : specs).map(dumpFormat);
  if (formats.some((format) => format === undefined)) return call.unsupported(`od -t ${specs.join(' -t ')}`);
  const { texts, status } = inputs(call, given.operands);
  const skip = byteCount(given.last('j') ?? '0');
  const most = given.has('N') ? byteCount(given.last('N')!) : Number.POSITIVE_INFINITY;
  if (skip === undefined || most === undefined) return call.fail('invalid number of bytes');
  const all = texts
    .map(({ text }) => text)
    .join('')
    .slice(skip, skip + most);
  const radix = given.last('A') ?? 'o';
  const address = (n: number) =>
    radix === 'n' ? '' : n.toString(radix === 'x' ? 16 : radix === 'd' ? 10 : 8).padStart(radix === 'x' ? 6 : 7, '0');
  const width = given.has('w') ? Number(given.last('w') || 32) : 16;
  if (!(width > 0 && width <= 4096)) return call.fail(`invalid width '${given.last('w')}'`);
  let out = '';
  let before: string | undefined;
  let starred = false;
  for (let at = 0; at < all.length; at += width) {
    call.shell.budget.spend(2);
    const bytes = all.slice(at, at + width);
    if (bytes === before && bytes.length === width && !given.has('v') && at + width <= all.length) {
      if (!starred) out += '*\n';
      starred = true;
      continue;
    }
    starred = false;
    before = bytes;
    out += dumpLines(bytes, formats as DumpFormat[], width, address(skip + at));
    call.shell.budget.length(out.length);
  }
  const last = address(skip + all.length);
  call.out(out + (last === '' ? '' : `${last}\n`));
  return status;
}

function dumpLines(bytes: string, formats: readonly DumpFormat[], width: number, address: string): string {
  // columns of all formats line up with the widest of them
  const perByte = Math.max(...formats.map((format) => format.width / format.size));
  let out = '';
  for (const [i, format] of formats.entries()) {
    let line = i === 0 ? address : ' '.repeat(address.length);
    const cell = Math.ceil(perByte * format.size);
    for (let at = 0; at < bytes.length; at += format.size)
      line += format.show(bytes.slice(at, at + format.size).padEnd(format.size, '\0')).padStart(cell);
    if (format.chars) {
      const missing = Math.floor((width - bytes.length) / format.size) * cell;
      line += `${' '.repeat(missing)}  >${bytes.replace(/[^ -~]/g, '.')}<`;
    }
    out += `${line}\n`;
  }
  return out;
}

/** Commands that show or code bytes. */
export const DUMP_COMMANDS: Readonly<Record<string, Command>> = {
  ...{ base32: base, base64: base, cksum, od },
  ...{ md5sum: digest, sha1sum: digest, sha224sum: digest, sha256sum: digest, sha384sum: digest, sha512sum: digest },
};

/**
 * The names under which a BusyBox can be called, read from the program itself: they are in it one after the other, each
 * ended by NUL, in byte order, and the first ones are `[` and `[[`.
 */
export function appletsOf(program: Uint8Array): string[] {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.length);
  const start = bytes.indexOf('\0[\0[[\0', 0, 'latin1');
  if (start < 0) return [];
  const names: string[] = [];
  for (let at = start + 1; names.length < 1000; ) {
    const end = bytes.indexOf(0, at);
    const name = end < 0 ? '' : bytes.toString('latin1', at, Math.min(end, at + 64));
    if (!/^[a-z0-9[_.+-]+$/i.test(name) || (names.length > 0 && name < names[names.length - 1]!)) return names;
    names.push(name);
    at = end + 1;
  }
  return names;
}

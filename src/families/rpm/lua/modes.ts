/** `rwxr-xr-x`: setuid and setgid are shown, the sticky bit is not. */
export function modeText(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-'));
  for (const [at, bit] of [
    [2, 0o4000],
    [5, 0o2000],
  ] as const)
    if (mode & bit) letters[at] = letters[at] === 'x' ? 's' : 'S';
  return letters.join('');
}

/**
 * A mode as octal digits, as letters in their places (`rwxr-xr-x`), or as changes (`u+x,go-w`), as rpm's library reads it;
 * undefined when it is none. Two of its ways differ from chmod's: a letter in a place that is not its own changes nothing, and
 * `=` clears what it does not name, of all the three, unless it names nothing.
 */
export function modeOf(given: string, before: number): number | undefined {
  if (/^[0-7]+$/.test(given)) return Number.parseInt(given, 8) & 0o7777;
  if (/^[r-]/.test(given)) return placed(given, before & 0o777);
  let mode = before;
  for (const clause of given.split(',')) {
    const match = /^ *([ugoa]*)([-+=])([rwxs]*) *$/.exec(clause);
    if (match === null) return undefined;
    const [, who = '', sign, what = ''] = match;
    let bits = 0;
    for (const [i, one] of [...'ugo'].entries())
      if (who === '' || who.includes('a') || who.includes(one)) {
        for (const [j, letter] of [...'rwx'].entries()) if (what.includes(letter)) bits |= 1 << (8 - 3 * i - j);
        if (what.includes('s') && i < 2) bits |= i === 0 ? 0o4000 : 0o2000;
      }
    if (sign === '+') mode |= bits;
    else if (sign === '-') mode &= ~bits;
    else if (bits !== 0) mode = bits;
  }
  return mode;
}

/** Letters in their places; those that are left out keep what is there (rpm reads on, behind the end of the text). */
function placed(given: string, before: number): number | undefined {
  let mode = before;
  for (const [i, letter] of [...given.slice(0, 9)].entries()) {
    if (letter === 's' && i !== 2 && i !== 5) return undefined;
    if (letter === 's') mode |= (1 << (8 - i)) | (i === 2 ? 0o4000 : 0o2000);
    else if (letter === 'rwx'[i % 3]) mode |= 1 << (8 - i);
    else if (letter === '-') mode &= ~(1 << (8 - i));
  }
  return mode;
}

/** The hash of a name of a directory or attribute (xfs_da_hashname); names are byte strings. */
export function hashName(name: string): number {
  let hash = 0;
  let at = 0;
  let left = name.length;
  const c = (i: number) => name.charCodeAt(at + i);
  for (; left >= 4; left -= 4, at += 4) hash = (c(0) << 21) ^ (c(1) << 14) ^ (c(2) << 7) ^ c(3) ^ rotate(hash, 28);
  if (left === 3) hash = (c(0) << 14) ^ (c(1) << 7) ^ c(2) ^ rotate(hash, 21);
  else if (left === 2) hash = (c(0) << 7) ^ c(1) ^ rotate(hash, 14);
  else if (left === 1) hash = c(0) ^ rotate(hash, 7);
  return hash >>> 0;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

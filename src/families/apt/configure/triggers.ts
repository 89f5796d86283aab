/** deb-triggers(5): the control file `triggers`. */

/** A trigger a package awaits. */
export interface Interest {
  /** A name, or an absolute path that covers everything below it. */
  readonly name: string;
  /** False for `interest-noawait`. */
  readonly await: boolean;
}

/** Triggers a package awaits, in the file's order. */
export function interests(text: string): Interest[] {
  const found: Interest[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*interest(-await|-noawait)?\s+(\S+)/.exec(line);
    if (match !== null) found.push({ name: match[2]!, await: match[1] !== '-noawait' });
  }
  return found;
}

/** The parts of a package URL (ECMA-427, purl-spec). */
export interface Purl {
  readonly type: string;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
}

/** A package URL in its canonical form: qualifiers by name, empty ones left out. */
export function purl({ type, namespace, name, version, qualifiers = {} }: Purl): string {
  const kind = type.toLowerCase();
  // names of these types are in lower case (purl-spec, types deb, apk and rpm: the namespace too)
  const lower = kind === 'deb' || kind === 'apk' ? name.toLowerCase() : name;
  const space = (namespace ?? '')
    .toLowerCase()
    .split('/')
    .filter((part) => part !== '')
    .map(encoded)
    .join('/');
  const rest = Object.entries(qualifiers)
    .filter((one): one is [string, string] => one[1] !== undefined && one[1] !== '')
    .map(([key, value]) => [key.toLowerCase(), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => `${key}=${encoded(value)}`)
    .join('&');
  return [
    `pkg:${kind}/`,
    space === '' ? '' : `${space}/`,
    encoded(lower),
    version === undefined || version === '' ? '' : `@${encoded(version)}`,
    rest === '' ? '' : `?${rest}`,
  ].join('');
}

/** Percent-encoding as the specification has it: letters, digits, `.`, `-`, `_`, `~` and `:` stay. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':');
}

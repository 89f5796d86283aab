/**
 * p11-kit's own format of trust stores (`[p11-kit-object-v1]`, pkcs11 attributes as text; p11-kit's manual, "Storing
 * trust policy", and stores that rpm distributions ship):
 *
 *     [p11-kit-object-v1]
 *     label: "Some CA"
 *     trusted: true
 *     -----BEGIN CERTIFICATE----- …
 *
 *     [p11-kit-object-v1]
 *     class: x-certificate-extension
 *     object-id: 2.5.29.37
 *     value: "0%16%06%03U%1d%25…"
 *     -----BEGIN PUBLIC KEY----- …
 */
export interface StoredObject {
  /** Attributes by name: booleans and identifiers as they stand, quoted values as the bytes they spell (Latin-1). */
  readonly attributes: ReadonlyMap<string, string>;
  /** DER of the PEM blocks, by their label (`CERTIFICATE`, `PUBLIC KEY`). */
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

/** True for a text in this format. */
export function isStore(text: string): boolean {
  return /^\s*(#.*\n\s*)*\[p11-kit-object-v1\]/.test(text);
}

/** The objects of a store, in order; lines that are neither attributes nor PEM are skipped. `text` is a byte string. */
export function storedObjects(text: string): StoredObject[] {
  const found: StoredObject[] = [];
  let attributes = new Map<string, string>();
  let blocks = new Map<string, Uint8Array>();
  let open: { readonly label: string; base64: string } | undefined;
  for (const line of text.split('\n')) {
    const row = line.trim();
    if (open !== undefined) {
      if (row === `-----END ${open.label}-----`) {
        blocks.set(open.label, Buffer.from(open.base64, 'base64'));
        open = undefined;
      } else open.base64 += row;
      continue;
    }
    if (row === '[p11-kit-object-v1]') {
      attributes = new Map();
      blocks = new Map();
      found.push({ attributes, blocks });
      continue;
    }
    const begin = /^-----BEGIN ([A-Z0-9 ]+)-----$/.exec(row);
    if (begin !== null) open = { label: begin[1]!, base64: '' };
    else {
      const [, name, value] = /^([\w-]+)\s*:\s*(.*)$/.exec(row) ?? [];
      if (name !== undefined && !row.startsWith('#')) attributes.set(name, spelled(value!));
    }
  }
  return found;
}

/** A quoted value has its other bytes as `%XX`. */
function spelled(text: string): string {
  const quoted = /^"(.*)"$/.exec(text);
  if (quoted === null) return text;
  return quoted[1]!.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

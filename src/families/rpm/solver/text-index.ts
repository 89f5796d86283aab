import type { Texts } from './texts.ts';

/** FNV-1a of a byte string. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // the lower bits alone are poor
  return (hash ^ (hash >>> 15)) >>> 0;
}

/**
 * A hash table of texts in one array, which can be kept in a file as it is: by place the number of a text, 0 for a free
 * place. Of texts that occur several times the canonical one is in it. Number 0, the empty text, is not.
 */
export function indexTexts(texts: readonly string[], canonical: Int32Array): Int32Array {
  let size = 1024;
  while (size < texts.length * 2) size *= 2;
  const index = new Int32Array(size);
  for (let id = 1; id < texts.length; id++) {
    if (id < canonical.length && canonical[id] !== id) continue;
    let at = hashOf(texts[id]!) & (size - 1);
    while (index[at] !== 0) at = (at + 1) & (size - 1);
    index[at] = id;
  }
  return index;
}

/** Number of a text in a table of {@link indexTexts}; undefined when it is not in there. */
export function indexedText(index: Int32Array, texts: Texts, text: string): number | undefined {
  const { length } = index;
  for (let at = hashOf(text) & (length - 1); index[at] !== 0; at = (at + 1) & (length - 1))
    if (texts.get(index[at]!) === text) return index[at]!;
  return undefined;
}

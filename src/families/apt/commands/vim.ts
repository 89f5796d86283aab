import type { Call, Options } from '../../../shell/command.ts';
import { type CommandTable, withOptions } from '../../../system/commands/binding.ts';

/** helpztags(1): the index of Vim's help files in each folder, `tags` (translations: `tags-de`). */
function helpztags(call: Call, given: Options): number {
  const { files } = call;
  const tags = new Map<string, Map<string, string>>();
  for (const folder of given.operands) {
    if (files.find(folder)?.kind !== 'directory') continue;
    const named = files.list(folder).map((file) => /^[\w.-]+\.(?:txt|([A-Za-z]{2})x)(\.gz)?$/.exec(file));
    // packages ship these uncompressed
    if (named.some((match) => match?.[2] !== undefined)) return call.shell.unknown(call.name);
    for (const match of named) {
      if (match === null) continue;
      const index = match[1] === undefined ? 'tags' : `tags-${match[1]}`;
      const found = tags.get(index) ?? new Map<string, string>();
      for (const [, tag] of files.read(`${folder}/${match[0]}`).matchAll(/(?<=^|\s)\*([^*\s|]+?)\*(?=\s|$)/gm))
        found.set(tag!, match[0]);
      if (found.size > 0) tags.set(index, found);
    }
    for (const [index, found] of tags) {
      const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
      const lines = sorted.map(([tag, file]) => `${tag}\t${file}\t/*${tag.replaceAll('\\', '\\\\')}*\n`);
      files.write(`${folder}/${index}`, lines.join(''));
    }
  }
  return 0;
}

/** Programs of Vim that packages call. */
export function vimCommands(): CommandTable {
  return { helpztags: withOptions('', '', helpztags) };
}

import { type Command, options } from '../../../shell/command.ts';
import type { CommandTable } from './binding.ts';

/** Folder of /etc/apache2 and suffixes by what is switched: a2enmod(8). */
const KINDS = {
  mod: { folder: 'mods', suffixes: ['.load', '.conf'] },
  conf: { folder: 'conf', suffixes: ['.conf'] },
  site: { folder: 'sites', suffixes: ['.conf'] },
} as const;

const ROOT = '/etc/apache2';

/** Switches modules, configurations and sites of Apache on and off: links from `*-enabled` to `*-available`. */
export function apacheCommands(): CommandTable {
  const table: Record<string, Command> = {};
  for (const [kind, { folder, suffixes }] of Object.entries(KINDS)) {
    const switched =
      (on: boolean): Command =>
      (call) => {
        const { files } = call;
        let status = 0;
        for (const operand of options(call.args, 'qmpf', 'quiet maintmode purge force').operands) {
          const name = operand.replace(/\.(load|conf)$/, '');
          let found = false;
          for (const suffix of suffixes) {
            const link = `${ROOT}/${folder}-enabled/${name}${suffix}`;
            const there = files.find(`${ROOT}/${folder}-available/${name}${suffix}`) !== undefined;
            found ||= there;
            if (on && there && files.find(link, false) === undefined)
              files.symlink(link, `../${folder}-available/${name}${suffix}`);
            if (!on && files.find(link, false) !== undefined) files.unlink(link);
          }
          if (!found) status = call.fail(`${kind} ${name} does not exist!`);
        }
        return status;
      };
    table[`a2en${kind}`] = switched(true);
    table[`a2dis${kind}`] = switched(false);
  }
  table['a2query'] = (call) => {
    const given = options(call.args, 'qm::s::c::avMdh');
    for (const [letter, folder, suffix] of [
      ['m', 'mods', '.load'],
      ['s', 'sites', '.conf'],
      ['c', 'conf', '.conf'],
    ] as const) {
      const name = given.last(letter) || given.operands[0];
      if (given.has(letter) && name !== undefined)
        return call.files.find(`${ROOT}/${folder}-enabled/${name}${suffix}`) === undefined ? 32 : 0;
    }
    if (given.has('M')) call.out('event\n');
    return 0;
  };
  return table;
}

import type { Call, Command, Options } from '../../../shell/command.ts';
import { type CommandTable, withOptions } from '../../../system/commands/binding.ts';

/** What can be switched, by the word in the command's name: a2enmod(8). */
const KINDS = {
  mod: { folder: 'mods', suffix: '.load', what: 'module' },
  conf: { folder: 'conf', suffix: '.conf', what: 'conf' },
  site: { folder: 'sites', suffix: '.conf', what: 'site' },
} as const;
type Kind = keyof typeof KINDS;

const ROOT = '/etc/apache2';
/** Where the state is recorded: who switched what, and how. */
const STATE = '/var/lib/apache2';

/** What a file requires (`Depends`) or conflicts with (`Conflicts`): words of a comment before its first directive. */
function related(call: Call, path: string, field: 'Depends' | 'Conflicts'): string[] {
  const inode = call.files.find(path);
  if (inode?.kind !== 'file') return [];
  for (const line of call.files.readInode(inode).split('\n')) {
    const found = new RegExp(`^# ${field}:\\s+(.*)$`).exec(line.trimEnd());
    if (found !== null) return found[1]!.split(/\s+/);
    if (!/^\s*(#.*)?$/.test(line)) break;
  }
  return [];
}

/** One call of a2enmod or a related command. */
class Switch {
  readonly call: Call;
  readonly kind: Kind;
  readonly on: boolean;
  readonly maintainer: boolean;
  readonly purge: boolean;
  readonly force: boolean;

  constructor(call: Call, kind: Kind, on: boolean, given: Options) {
    this.call = call;
    this.kind = kind;
    this.on = on;
    this.maintainer = given.has('m', 'maintmode');
    this.purge = given.has('p', 'purge');
    this.force = given.has('f', 'force');
  }

  #available(name: string, suffix: string = KINDS[this.kind].suffix): string {
    return `${ROOT}/${KINDS[this.kind].folder}-available/${name}${suffix}`;
  }

  #enabled(name: string, suffix: string = KINDS[this.kind].suffix): string {
    return `${ROOT}/${KINDS[this.kind].folder}-enabled/${name}${suffix}`;
  }

  /** Switches one by name; false when that is not possible. */
  act(name: string): boolean {
    return this.call.shell.budget.deeper(() => this.#act(this.#actualName(name)));
  }

  /** A threaded server has a module of its own for scripts. */
  #actualName(name: string): string {
    if (this.kind !== 'mod' || !this.on || name !== 'cgi') return name;
    const threads = ['worker', 'event'].some(
      (mpm) => this.call.files.find(`${ROOT}/mods-enabled/mpm_${mpm}.load`) !== undefined,
    );
    return threads ? 'cgid' : name;
  }

  #act(name: string): boolean {
    const { call, kind, on } = this;
    const { files } = call;
    const reject = (text: string): boolean => {
      call.complain(`ERROR: ${text}`);
      return false;
    };
    if (files.find(this.#available(name)) === undefined) {
      if (this.purge) {
        this.#mark(name);
        return true;
      }
      return reject(`${KINDS[kind].what} ${name} does not exist!`);
    }
    if (kind === 'mod') {
      if (on) {
        for (const needed of related(call, this.#available(name), 'Depends'))
          if (!this.act(needed)) return reject(`Could not enable dependency ${needed} for ${name}, aborting`);
        for (const other of related(call, this.#available(name), 'Conflicts'))
          if (files.find(this.#enabled(other)) !== undefined)
            return reject(`Module ${other} is enabled - cannot proceed due to conflicts.`);
      } else
        for (const file of files.find(`${ROOT}/mods-enabled`) === undefined ? [] : files.list(`${ROOT}/mods-enabled`)) {
          if (!file.endsWith('.load') || !related(call, `${ROOT}/mods-enabled/${file}`, 'Depends').includes(name))
            continue;
          const dependent = file.slice(0, -'.load'.length);
          if (!this.force) return reject(`${dependent} depends on ${name} and needs to be disabled first`);
          if (!this.act(dependent)) return false;
        }
    } else if (on)
      for (const needed of related(call, this.#available(name), 'Depends'))
        if (files.find(`${ROOT}/mods-enabled/${needed}.load`) === undefined)
          return reject(`Module ${needed} is not enabled, but ${name} depends on it, aborting`);
    const was = files.find(this.#enabled(name), false) !== undefined;
    // a module's settings are switched with it
    const suffixes = kind === 'mod' ? ['.conf', '.load'] : ['.conf'];
    for (const suffix of suffixes) {
      const link = this.#enabled(name, suffix);
      const present = files.find(link, false);
      if (on && present === undefined && files.find(this.#available(name, suffix)) !== undefined)
        files.symlink(link, `../${KINDS[kind].folder}-available/${name}${suffix}`);
      else if (!on && present?.kind === 'symlink') files.unlink(link);
      else if (!on && present !== undefined) return reject(`${link} is not a symbolic link, not deleting`);
    }
    if (was !== on || (!on && this.purge)) this.#mark(name);
    return true;
  }

  /** Records who switched it last. */
  #mark(name: string): void {
    const { files } = this.call;
    const home = `${STATE}/${KINDS[this.kind].what}`;
    const folder = `${home}/${this.on ? 'enabled' : 'disabled'}_by_${this.maintainer ? 'maint' : 'admin'}`;
    for (const path of [STATE, home, folder]) if (files.find(path) === undefined) files.mkdir(path);
    for (const other of files.list(home))
      if (files.find(`${home}/${other}/${name}`)?.kind === 'file') files.unlink(`${home}/${other}/${name}`);
    if (!this.purge) files.write(`${folder}/${name}`, '');
  }
}

/** Switches modules, configurations and sites of Apache on and off: links from `*-enabled` to `*-available`. */
export function apacheCommands(): CommandTable {
  const table: Record<string, Command> = {};
  for (const kind of Object.keys(KINDS) as Kind[])
    for (const on of [true, false])
      table[`a2${on ? 'en' : 'dis'}${kind}`] = withOptions('qmpf', 'quiet maintmode purge force', (call, given) => {
        const change = new Switch(call, kind, on, given);
        let status = 0;
        for (const operand of given.operands) if (!change.act(operand.replace(/\.(load|conf)$/, ''))) status = 1;
        return status;
      });
  table['a2query'] = withOptions('qm::s::c::M', '', (call, given) => {
    for (const [letter, kind] of [
      ['m', 'mod'],
      ['s', 'site'],
      ['c', 'conf'],
    ] as const) {
      const { folder, suffix, what } = KINDS[kind];
      const name = given.last(letter) || given.operands[0];
      if (!given.has(letter) || name === undefined) continue;
      if (call.files.find(`${ROOT}/${folder}-enabled/${name}${suffix}`) !== undefined) return 0;
      // unknown, or switched off by the administrator or the maintainer: a2query(1)
      const off = (by: string) => call.files.find(`${STATE}/${what}/disabled_by_${by}/${name}`) !== undefined;
      return off('admin') ? 32 : off('maint') ? 33 : 1;
    }
    if (given.has('M')) {
      const mpm = ['event', 'worker', 'prefork'].find(
        (one) => call.files.find(`${ROOT}/mods-enabled/mpm_${one}.load`) !== undefined,
      );
      if (mpm === undefined) return 1;
      call.out(`${mpm}\n`);
    }
    return 0;
  });
  return table;
}

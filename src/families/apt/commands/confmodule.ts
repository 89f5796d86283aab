import type { Call, Command, RunningShell } from '../../../shell/command.ts';
import { type CommandTable, withOptions } from '../../../system/commands/binding.ts';
import type { DebianWorld } from './binding.ts';

/** Status of a question that was not shown: confmodule(3). In a non-interactive build none is. */
const SKIPPED = 30;
/** Status for a question that does not exist. */
const BAD_PARAMETERS = 10;

/** The functions of debconf's confmodule, answered from templates and preseed. */
export function debconfCommands(world: DebianWorld): CommandTable {
  const { debconf } = world;
  const answer = (call: Call, value: string, status = 0) => {
    call.shell.assign('RET', value);
    return status;
  };
  const missing = (call: Call, name: string) => answer(call, `${name} doesn't exist`, BAD_PARAMETERS);
  const exists = (name: string) => debconf.get(name) !== undefined;
  /** A command that changes a question. */
  const on =
    (change: (args: readonly string[]) => void): Command =>
    (call) => {
      const name = call.args[0] ?? '';
      if (!exists(name)) return missing(call, name);
      change(call.args);
      return answer(call, 'value set');
    };
  const fine =
    (value: string, status = 0): Command =>
    (call) =>
      answer(call, value, status);

  const table: Record<string, Command> = {
    db_version: fine('2.0'),
    db_capb: fine('multiselect'),
    db_title: fine(''),
    db_settitle: fine(''),
    db_info: fine(''),
    db_beginblock: fine(''),
    db_endblock: fine(''),
    db_go: fine('ok'),
    db_clear: fine(''),
    db_progress: fine('OK'),
    db_data: fine('OK'),
    db_stop: () => 0,
    db_purge: fine(''),
    db_input: (call) => {
      const name = call.args[1] ?? '';
      return exists(name) ? answer(call, 'question skipped', SKIPPED) : missing(call, name);
    },
    db_get: (call) => {
      const name = call.args[0] ?? '';
      const value = debconf.get(name);
      return value === undefined ? missing(call, name) : answer(call, value);
    },
    db_set: on(([name = '', ...value]) => debconf.set(name, value.join(' '))),
    db_reset: on(([name = '']) => debconf.reset(name)),
    db_default: on(([name = '']) => debconf.reset(name)),
    db_subst: on(([name = '', key = '', ...value]) => debconf.substitute(name, key, value.join(' '))),
    db_fset: on(([name = '', flag = '', value]) => debconf.setFlag(name, flag, value === 'true')),
    db_fget: (call) => {
      const [name = '', flag = ''] = call.args;
      return exists(name) ? answer(call, String(debconf.flag(name, flag))) : missing(call, name);
    },
    db_metaget: (call) => {
      const [name = '', field = ''] = call.args;
      if (!exists(name)) return missing(call, name);
      if (field === 'value' || field === 'default')
        return answer(call, (field === 'value' ? debconf.get(name) : debconf.meta(name, 'default')) ?? '');
      // `choices-c` is the field before translation
      const value = debconf.meta(name, field) ?? debconf.meta(name, field.replace(/-c$/i, ''));
      return value === undefined ? answer(call, `${field} does not exist`, BAD_PARAMETERS) : answer(call, value);
    },
    db_register: (call) => {
      const [template = '', question = ''] = call.args;
      return debconf.register(template, question) ? answer(call, '') : missing(call, template);
    },
    db_unregister: (call) => {
      debconf.unregister(call.args[0] ?? '');
      return answer(call, '');
    },
    db_x_loadtemplatefile: (call) => {
      const inode = call.files.find(call.args[0] ?? '');
      if (inode?.kind === 'file') debconf.load(inode.content);
      return answer(call, '');
    },
    'debconf-set-selections': withOptions('cuv', 'checkonly unseen verbose', (call, given) => {
      if (given.has('c', 'checkonly')) return 0;
      for (const line of call.read(given.operands[0] ?? '-').split('\n')) {
        const found = /^\s*(?!#)\S+\s+(\S+)\s+\S+(?:\s(.*))?$/.exec(line);
        if (found !== null) debconf.set(found[1]!, found[2] ?? '');
      }
      return 0;
    }),
  };
  // the upper-case names are those of the protocol and were once used
  table['db_unregister_all'] = fine('');
  return table;
}

/** Effects of reading confmodule besides defining functions: standard output then belongs to debconf. */
export function enterConfmodule(shell: RunningShell): number {
  shell.assign('DEBIAN_HAS_FRONTEND', '1', true);
  shell.assign('DEBCONF_REDIR', '1', true);
  const errors = shell.stream(2);
  if (errors !== undefined) {
    shell.descriptors.set(3, shell.stream(1) ?? errors);
    shell.descriptors.set(1, errors);
  }
  return 0;
}

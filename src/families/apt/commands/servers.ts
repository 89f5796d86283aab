import type { Call, Options } from '../../../shell/command.ts';
import { type CommandTable, nothing, withOptions } from '../../../system/commands/binding.ts';
import { warn } from '../../../system/context.ts';
import type { DebianWorld } from './binding.ts';

const MAIN = '/etc/postfix/main.cf';

/** Defaults that postconf(1) reports for parameters not set in any file, as far as packages query them. */
const POSTFIX: ReadonlyMap<string, string> = new Map(
  Object.entries({
    alias_database: 'hash:/etc/aliases',
    cyrus_sasl_config_path: '',
    default_transport: 'smtp',
    inet_protocols: 'all',
    multi_instance_directories: '',
    relay_transport: 'relay',
  }),
);

/** postconf(1), for main.cf: `-e NAME=VALUE…` sets, `-x`, `-#`, `-X` remove, otherwise values are printed. */
function postconf(call: Call, given: Options): number {
  const path = given.last('c') === undefined ? MAIN : `${given.last('c')}/main.cf`;
  // logical lines: a line that starts with white space continues the previous one
  const lines = call.files.find(path)?.kind === 'file' ? call.files.read(path).split('\n') : [];
  const parameters = () =>
    lines.flatMap((line, at) => {
      const found = /^(\w+)\s*=\s*(.*)$/.exec(line.trimEnd());
      if (found === null) return [];
      let end = at + 1;
      while (/^\s+\S/.test(lines[end] ?? '')) end++;
      const value = [found[2]!, ...lines.slice(at + 1, end).map((one) => one.trim())].join(' ');
      return [{ name: found[1]!, value, at, end }];
    });
  if (given.has('#', 'X')) {
    for (const name of given.operands)
      for (const one of parameters().reverse())
        if (one.name === name) {
          const kept = given.has('X') ? [] : lines.slice(one.at, one.end).map((line) => `#${line}`);
          lines.splice(one.at, one.end - one.at, ...kept);
        }
    call.files.write(path, lines.join('\n'));
    return 0;
  }
  if (given.has('e') || given.operands.some((operand) => operand.includes('='))) {
    for (const operand of given.operands) {
      const equals = operand.indexOf('=');
      const name = operand.slice(0, equals).trim();
      const line = `${name} = ${operand.slice(equals + 1).trim()}`;
      const [first, ...rest] = parameters().filter((one) => one.name === name);
      for (const one of rest.reverse()) lines.splice(one.at, one.end - one.at);
      if (first !== undefined) lines.splice(first.at, first.end - first.at, line);
      else {
        if (lines.at(-1) === '') lines.pop();
        lines.push(line, '');
      }
    }
    call.files.write(path, lines.join('\n'));
    return 0;
  }
  const set = new Map(parameters().map(({ name, value }) => [name, value]));
  for (const name of given.operands) {
    let value = set.get(name) ?? POSTFIX.get(name);
    if (value === undefined) return call.shell.unknown(call.name);
    if (given.has('x'))
      value = value.replace(/\$(\w+)/g, (_, inner: string) => set.get(inner) ?? POSTFIX.get(inner) ?? '');
    call.out(given.has('h') ? `${value}\n` : `${name} = ${value}\n`);
  }
  return 0;
}

/** Programs of servers that their packages call. */
export function serverCommands({ context }: DebianWorld): CommandTable {
  const left = (message: string) => {
    warn(context, 'LEFT_TO_FIRST_BOOT', { reason: message });
    return 0;
  };
  const systemTables = () =>
    left(
      'the system tables of MariaDB are not made at build time; run "mariadb-install-db --user=mysql" in the guest before the server starts',
    );
  return {
    mysql_install_db: systemTables,
    'mariadb-install-db': systemTables,
    'named-checkconf': nothing,
    newaliases: () =>
      left('the database of mail aliases is not made at build time; run "newaliases" in the guest before mail is sent'),
    // converts modified settings into another file's format: those of a first installation are the package's own
    'nfsconvert.py': nothing,
    postconf: withOptions('c:ehvxX#', '', postconf),
    slapadd: () =>
      left('the directory of slapd is not made at build time; run "dpkg-reconfigure slapd" in the guest to make it'),
    // the hash of a password, which would be the same in every guest: use one that matches no password
    slappasswd: withOptions('h:c:s:T:nvu', '', (call) => {
      call.out('{CRYPT}*\n');
      return 0;
    }),
    'rndc-confgen': withOptions('aA:b:c:k:u:', '', (call, given) => {
      if (!given.has('a')) return call.shell.unknown(call.name);
      // the package treats empty as missing; owner and mode are set by its script
      call.files.write('/etc/bind/rndc.key', '', 0o600);
      return left('the key of rndc is not made at build time; run "rndc-confgen -a" in the guest if rndc is used');
    }),
  };
}

import { type Call, options } from '../../../shell/command.ts';
import { type CommandTable, withOptions } from '../../../system/commands/binding.ts';
import { warn } from '../../../system/context.ts';
import type { DebianWorld } from './binding.ts';

/** Clusters by version and name: each has a folder with its configuration. */
function clusters(call: Call): [version: string, name: string][] {
  const { files } = call;
  const folders = (path: string) => (files.find(path)?.kind === 'directory' ? files.list(path) : []);
  return folders('/etc/postgresql').flatMap((version) =>
    folders(`/etc/postgresql/${version}`)
      .filter((name) => files.find(`/etc/postgresql/${version}/${name}/postgresql.conf`) !== undefined)
      .map((name): [string, string] => [version, name]),
  );
}

/** Programs of postgresql-common that packages call. */
export function postgresqlCommands({ context }: DebianWorld): CommandTable {
  return {
    pg_lsclusters: withOptions('h', 'no-header', (call, given) => {
      if (!given.has('h', 'no-header')) call.out('Ver Cluster Port Status Owner    Data directory Log file\n');
      for (const [version, name] of clusters(call))
        call.out(
          `${version} ${name} 5432 down postgres /var/lib/postgresql/${version}/${name} /var/log/postgresql/postgresql-${version}-${name}.log\n`,
        );
      return 0;
    }),
    pg_conftool: withOptions('bsv', 'boolean short verbose', (call, given) => {
      // `[options] FILE show SETTING`
      const [path = '', verb, setting = ''] = given.operands;
      if (verb !== 'show' || call.files.find(path)?.kind !== 'file') return 1;
      const line = call.files
        .read(path)
        .split('\n')
        // `name = 'value' # comment`, where sign and quotes may be left out
        .map((one) => /^\s*(\w+)\s*=?\s*(?:'([^']*)'|([^'#]*))/.exec(one))
        .find((one) => one?.[1] === setting);
      if (line === undefined || line === null) return 1;
      const text = line[2] ?? line[3]!.trimEnd();
      const value = given.has('b', 'boolean') ? (/^(on|true|yes|1)$/i.test(text) ? 'on' : 'off') : text;
      call.out(given.has('s', 'short') ? `${value}\n` : `${setting} = ${value}\n`);
      return 0;
    }),
    pg_createcluster: (call) => {
      const [version = '', name = ''] = options(
        call.args,
        'u:g:d:s:l:p:e:o:',
        'user= group= datadir= socketdir= logfile= port= encoding= locale= lc-collate= lc-ctype= start start-conf= no-status',
      ).operands;
      warn(context, 'LEFT_TO_FIRST_BOOT', {
        reason: `PostgreSQL ${version}: a cluster has an identifier of its own and is not made at build time; run "pg_createcluster ${version} ${name} --start" in the guest`,
      });
      return 0;
    },
    pg_updatedicts: withOptions('v', 'verbose', (call) => {
      const found = ['/usr/share/hunspell', '/usr/share/myspell/dicts'].some(
        (folder) =>
          call.files.find(folder)?.kind === 'directory' && call.files.list(folder).some((one) => one.endsWith('.aff')),
      );
      // for dictionaries it makes copies in UTF-8
      if (found) return call.shell.unknown(call.name);
      for (const folder of ['/var/cache/postgresql', '/var/cache/postgresql/dicts'])
        if (call.files.find(folder) === undefined) call.files.mkdir(folder);
      return 0;
    }),
  };
}

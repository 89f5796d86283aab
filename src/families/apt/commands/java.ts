import { basename } from 'node:path/posix';
import { keyStore, type Trusted } from '../../../formats/jks/emit.ts';
import { certificatesOf } from '../../../formats/x509/certificate.ts';
import type { Command } from '../../../shell/command.ts';
import type { CommandTable } from '../../../system/commands/binding.ts';
import { toText } from '../../../tree/path.ts';
import type { DebianWorld } from './binding.ts';

const STORE = '/etc/ssl/certs/java/cacerts';

/** Java, as far as packages require it to be present and to collect certificates (the jar of ca-certificates-java). */
export function javaCommands({ context }: DebianWorld): CommandTable {
  const java: Command = (call) => {
    if (call.args.includes('-version')) return 0;
    const jar = call.args[call.args.indexOf('-jar') + 1];
    if (basename(jar ?? '') !== 'ca-certificates-java.jar') return call.shell.unknown(call.name);
    // an existing store would have to be read and changed
    if (call.files.find(STORE) !== undefined) return call.shell.unknown(call.name);
    const password = call.args[call.args.indexOf('-storepass') + 1] ?? 'changeit';
    const trusted: Trusted[] = [];
    for (const line of call.input().split('\n')) {
      if (!line.startsWith('+')) continue;
      const path = line.slice(1);
      const [certificate] = call.files.find(path)?.kind === 'file' ? certificatesOf(call.files.read(path)) : [];
      if (certificate === undefined) {
        call.complain(`Warning: ${path} is not a certificate`);
        continue;
      }
      trusted.push({ alias: `debian:${toText(basename(path))}`, certificate });
    }
    const bytes = keyStore(trusted, { password, time: context.epoch });
    call.files.write(STORE, Buffer.from(bytes).toString('latin1'), 0o644);
    return 0;
  };
  return { java };
}

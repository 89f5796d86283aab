import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import type { CredentialSources } from '../fetch/registry/credentials.ts';
import { AUTH_LIMIT } from '../formats/oci/credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the credentials for registries come from: user and password of the environment, else files of podman and docker,
 * as containers-auth.json(5) orders them. A file that REGISTRY_AUTH_FILE names must be there.
 */
export function credentialSources(environment: Environment): CredentialSources {
  const [user, password] = [environment['OSBUILDER_REGISTRY_USER'], environment['OSBUILDER_REGISTRY_PASSWORD']];
  if ((user === undefined) !== (password === undefined))
    throw new BuildError('SETTING_CONFLICT', {
      reason: 'only one of OSBUILDER_REGISTRY_USER and OSBUILDER_REGISTRY_PASSWORD is set',
    });
  const registry = environment['OSBUILDER_REGISTRY_HOST'];
  return {
    files: () => filesOf(environment),
    ...(user === undefined || password === undefined
      ? {}
      : { named: { user, password, ...(registry === undefined || registry === '' ? {} : { registry }) } }),
  };
}

function filesOf(environment: Environment): { path: string; bytes: Uint8Array }[] {
  const named = environment['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return [{ path: named, bytes: readRegular(named, AUTH_LIMIT) }];
  const home = environment['HOME'] ?? homedir();
  const runtime = environment['XDG_RUNTIME_DIR'];
  const config = environment['XDG_CONFIG_HOME'] || join(home, '.config');
  const paths = [
    ...(runtime === undefined || runtime === '' ? [] : [join(runtime, 'containers/auth.json')]),
    join(config, 'containers/auth.json'),
    join(environment['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'),
  ];
  return paths.flatMap((path) => {
    if (!existsSync(path)) return [];
    return [{ path, bytes: readRegular(path, AUTH_LIMIT) }];
  });
}

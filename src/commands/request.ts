import type { BuildRequest } from '../pipeline/request.ts';
import type { Settings } from '../settings/table.ts';
import type { Context } from './context.ts';
import { dracutModulesOf, keepOf, profileOf } from './packages.ts';

/** What every command that makes or plans a guest asks for: all but its source, its outputs and what the command adds. */
export type GuestRequest = Pick<
  BuildRequest,
  'settings' | 'hostArchitecture' | 'version' | 'profile' | 'keep' | 'dracutModules' | 'readFrom'
>;

/**
 * The guest that the settings describe, with the files that they name read: the profile, what is kept, dracut modules. One
 * place, so that no command leaves one of them out. `settings` are the context's unless a lock or an environment changed
 * them. Throws `PROFILE_INVALID`, `KEEP_INVALID` and `DRACUT_MODULE_INVALID`.
 */
export async function requestOf(context: Context, settings: Settings = context.settings): Promise<GuestRequest> {
  const { terminal, configPath } = context;
  const complete = { ...context, settings };
  const profile = await profileOf(complete);
  const keep = await keepOf(complete);
  const dracutModules = await dracutModulesOf(complete);
  return {
    ...{ settings, hostArchitecture: terminal.architecture, version: terminal.version },
    ...(profile === undefined ? {} : { profile }),
    ...(keep === undefined ? {} : { keep }),
    ...(dracutModules.length === 0 ? {} : { dracutModules }),
    ...(configPath === undefined ? {} : { readFrom: [configPath] }),
  };
}

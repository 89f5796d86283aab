import type { Profile } from '../distros/profile.ts';
import { BuildError } from '../errors/error.ts';
import type { Init } from '../rootfs/guest.ts';
import type { Settings } from '../settings/table.ts';

/** Determines process 1; an error if the distribution does not have it. */
export function initOf(request: { readonly settings: Settings }, profile?: Profile): Init {
  const init = request.settings.agentInit ? 'agent' : 'systemd';
  if (profile !== undefined && !profile.init.includes(init) && !request.settings.rootfsOnly)
    throw new BuildError(
      'SETTING_CONFLICT',
      {
        reason: `${profile.title} has no ${init === 'systemd' ? 'systemd' : 'way to start the agent as init'}`,
        settings: ['distro', 'agentInit'],
      },
      { hint: init === 'systemd' ? 'let the agent be process 1 with `agentInit`' : 'leave out `agentInit`' },
    );
  return init;
}

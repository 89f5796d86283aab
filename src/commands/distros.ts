import { PROFILES, profileNamed } from '../distros/distros.ts';
import type { Context } from './context.ts';

/** `osbuilder distros [--show NAME]`. */
export async function distros(context: Context): Promise<void> {
  const { out } = context.terminal;
  const show = context.flag('show');
  if (show !== undefined) {
    const profile = profileNamed(show);
    const text = context.settings.json
      ? `${JSON.stringify(profile, null, 2)}\n`
      : (await import('yaml')).stringify(profile);
    out(text);
    return;
  }
  const all = [...PROFILES.values()];
  if (context.settings.json) {
    const rows = all.map(({ name, title, family, releases, architectures, init, verified, keyring }) => ({
      name,
      title,
      family,
      releases: releases.map((one) => one.name),
      architectures: Object.keys(architectures),
      init,
      verified,
      keyring,
    }));
    out(`${JSON.stringify({ distros: rows }, null, 2)}\n`);
    return;
  }
  for (const profile of all) {
    const releases = profile.releases.map((one) =>
      one.version === undefined ? one.name : `${one.name} (${one.version})`,
    );
    out(`${profile.name.padEnd(10)} ${profile.title}, packages of ${profile.family}\n`);
    out(`  releases       ${releases.join(', ')}\n`);
    out(`  architectures  ${Object.keys(profile.architectures).join(', ')}\n`);
    out(`  init           ${profile.init.join(' or ')}\n`);
    out(`  verified by    ${profile.verified}\n`);
  }
}

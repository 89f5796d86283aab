import { PROFILES, profileNamed } from '../distros/distros.ts';
import type { Profile } from '../distros/profile.ts';
import type { BuiltInKey } from '../fetch/keys/key.ts';
import { BUILT_IN_KEYS } from '../fetch/keys/keyring.ts';
import { withFlags } from '../report/errors.ts';
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
    const rows = all.map((profile) => {
      const { name, title, family, releases, architectures, init, verified, keyring, ended } = profile;
      return {
        name,
        title,
        family,
        releases: releases.map((one) => one.name),
        architectures: Object.keys(architectures),
        init,
        verified,
        keyring,
        keys: keysOf(profile).map((key) => ({ fingerprint: key.fingerprint, name: key.name })),
        ...(ended === undefined ? {} : { ended }),
      };
    });
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
    out(`  verified by    ${withFlags(profile.verified)}\n`);
    for (const [i, key] of keysOf(profile).entries())
      out(`  ${i === 0 ? 'built-in keys' : '             '}  ${key.fingerprint}  ${key.name}\n`);
    if (profile.ended !== undefined) out(`  ended          ${profile.ended}\n`);
  }
}

/** The built-in keys that a profile trusts. */
function keysOf({ keyring }: Profile): readonly BuiltInKey[] {
  return keyring.flatMap((name): readonly BuiltInKey[] =>
    Object.hasOwn(BUILT_IN_KEYS, name) ? BUILT_IN_KEYS[name as keyof typeof BUILT_IN_KEYS] : [],
  );
}

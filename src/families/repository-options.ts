import { BuildError } from '../errors/error.ts';

/** The options in brackets before a further repository: apt's spelling, for every family. */
export interface RepoOptions {
  /** Path of the keys to trust for this repository alone. */
  readonly signedBy?: string;
  /** Accept it, signed or not. */
  readonly unauthenticated?: true;
}

/** Reads `signed-by=FILE trusted=yes arch=…`; `text` is the complete setting, for the error. */
export function repoOptions(options: string | undefined, text: string): RepoOptions {
  const own: { signedBy?: string; unauthenticated?: true } = {};
  for (const option of (options ?? '').split(/\s+/).filter((one) => one !== '')) {
    const [name, value] = option.split('=', 2) as [string, string?];
    if (name === 'signed-by' && value !== undefined) own.signedBy = value;
    else if (name === 'trusted' && value === 'yes') own.unauthenticated = true;
    else if (name !== 'arch')
      throw new BuildError('SETTING_INVALID', {
        setting: 'repo',
        value: text,
        reason: `the option "${option}" is unknown: known ones are signed-by=FILE, trusted=yes, arch=…`,
      });
  }
  return own;
}

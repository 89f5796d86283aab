import type { SettingKey } from '../settings/table.ts';

/** Arguments of one command. */
export interface Call {
  readonly command: string;
  readonly positional: readonly string[];
  readonly flags: ReadonlyMap<SettingKey, readonly string[]>;
  readonly own: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

import type { Given } from '../settings/gather.ts';
import type { SettingKey, Settings } from '../settings/table.ts';

type GivenSettings = ReadonlyMap<SettingKey, Given>;

/**
 * What an extension holds and whether it is measured, as settings: it is measured unless someone says otherwise; and it
 * has none of Kata's parts, unless it is the difference from a guest that has them.
 */
export function contentsOfExtension(settings: Settings, given: GivenSettings | undefined, base: boolean): Settings {
  return {
    ...settings,
    rootfsOnly: settings.rootfsOnly || !base,
    measuredRootfs: given?.has('measuredRootfs') === true ? settings.measuredRootfs : true,
  };
}

/** The settings that make the image of an extension as Kata's guests expect it. */
export function extensionSettings(
  settings: Settings,
  given: GivenSettings,
  { name, base }: { readonly name: string; readonly base: boolean },
): Settings {
  return {
    ...contentsOfExtension(settings, given, base),
    fsType: 'erofs',
    partitionTable: 'mbr',
    skipDaxHeader: true,
    skipRootfsCheck: true,
    // Kata's own build names it so: the root hash is in root_hash_NAME-extension.txt
    buildVariant: settings.buildVariant ?? `${name}-extension`,
  };
}

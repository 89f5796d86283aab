import { situationOf } from '../commands/settings.ts';
import type { Situation } from '../settings/scope.ts';
import { rowOf, SETTING_KEYS, type SettingKey, type Settings } from '../settings/table.ts';
import { isUnsupported, supportedChoices } from '../settings/unsupported.ts';

const DEFAULTS = Object.fromEntries(SETTING_KEYS.map((key) => [key, rowOf(key).fallback])) as unknown as Settings;
/** What is given besides, so that settings act which others call for: of a guest from packages, and of one from a system. */
const BESIDES: readonly Partial<Settings>[] = [
  {},
  {
    ...{ kernelPackage: 'x', remoteCache: 'x', sbom: 'x', provenance: 'x', referenceValues: 'x' },
    ...{ measuredRootfs: true, fsType: 'erofs' },
  },
  { measuredRootfs: true, partitionTable: 'gpt' },
  { buildMethod: 'dracut', dracutKversion: 'x', sysroot: 'x' },
];
/** Flags of commands' own that decide about settings. */
const OWN = [{ scripts: false }, { scripts: true }, { base: 'x' }];
const KINDS = ['rootfs', 'initrd', 'image', 'extension'] as const;
const GUESTS = KINDS.slice(0, 3);

/** Settings that act in a command, in some use of it: help and completion show these and no others. */
export function actingSettings(command: string): SettingKey[] {
  const situations = [...situationsOf(command)];
  return SETTING_KEYS.filter(
    (key) => hasChoice(key) && situations.some((situation) => rowOf(key).scope(situation) === undefined),
  );
}

/** False when only one value is supported: there is nothing to set. */
function hasChoice(key: SettingKey): boolean {
  return !isUnsupported(key) && supportedChoices(key)?.length !== 1;
}

function* situationsOf(command: string): Generator<Situation> {
  const outputs = command === 'build' ? GUESTS : KINDS.filter((kind) => kind === command);
  const files = outputs.map((kind) => ({ kind, path: 'x' }));
  for (const positional of [[], ['x'], ['x', 'y']])
    for (const own of OWN)
      for (const besides of BESIDES) {
        const settings = { ...DEFAULTS, ...besides };
        yield situationOf({ command, positional, own, flags: new Map() }, files, { settings }, outputs.length > 0);
      }
}

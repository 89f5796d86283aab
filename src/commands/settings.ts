import { holdsContainers } from '../artefacts/container-look.ts';
import type { Output } from '../artefacts/outputs.ts';
import { BuildError } from '../errors/error.ts';
import { type Event, warning } from '../events/events.ts';
import { isReference } from '../formats/oci/reference.ts';
import { type IdleSetting, idleSettings } from '../settings/effect.ts';
import { type Gathered, gatherAll } from '../settings/gather.ts';
import { roleOf } from '../settings/role.ts';
import type { OutputKind, Situation } from '../settings/scope.ts';
import { SETTING_KEYS, type Settings } from '../settings/table.ts';
import { rejectUnsupported } from '../settings/unsupported.ts';
import { unusedVariables } from '../settings/upstream.ts';
import { filesBesideConfig } from './beside-config.ts';
import type { Call } from './call.ts';
import type { Config } from './config.ts';
import { contentsOfExtension } from './extension-settings.ts';
import { isKind, kernelPathOf, outputsOf } from './outputs.ts';

/** The settings of one command, checked against what the command does. */
export interface Prepared extends Gathered {
  readonly files: readonly Output[];
  /** Where the kernel is written. */
  readonly kernel: string | undefined;
  /** Warnings and notes about settings without effect. */
  readonly events: readonly Event[];
}

/**
 * Reads the settings of a command and handles each that has no effect in it. `sources` is called with the gathered
 * settings before anything is rejected; `completed` adds what a lock says to them. Throws `USAGE`, `NOT_SUPPORTED`, `SETTING_INVALID`, `SETTING_CONFLICT`.
 */
export function commandSettings(
  call: Call,
  environment: Readonly<Record<string, string | undefined>>,
  config: Config | undefined,
  gathered: (settings: Gathered) => void = () => {},
  completed: (given: Gathered) => Settings = ({ settings }) => settings,
): Prepared {
  const sources = { flags: call.flags, environment, ...(config === undefined ? {} : { config }) };
  const said = filesBesideConfig(withLoudness(gatherAll(sources)), config?.path);
  gathered(said);
  // what is said by a lock alone decides as well what has an effect
  const all = { ...said, settings: completed(said) };
  rejectUnsupported(all.settings);
  rejectContradictions(all);
  const files = outputsOf(call, environment, all.outputs);
  const kernel = kernelPathOf(call, all.outputs, all.settings);
  const situation = situationOf(call, files, all, kernel !== undefined);
  // without a distribution that was asked for, the files are this machine's
  const settings =
    situation.base === 'system' ? { ...all.settings, sysroot: all.settings.sysroot ?? '/' } : all.settings;
  const idle = idleSettings(all.given, situation);
  const errors = idle.filter(({ verdict }) => verdict === 'error');
  if (errors.length > 0) throw new BuildError('USAGE', { reason: sentences(errors).join('\n') });
  const events: Event[] = [];
  for (const { names, reason } of grouped(idle.filter(({ verdict }) => verdict === 'warning')))
    events.push(warning('SETTING_UNUSED', { names, reason }));
  for (const message of sentences(idle.filter(({ verdict }) => verdict === 'note')))
    events.push({ kind: 'note', message });
  for (const { name, reason } of unusedVariables(environment, situation))
    events.push(warning('SETTING_UNUSED', { names: [`$${name}`], reason }));
  return { ...all, settings, files, kernel, events };
}

/** The situation of a call. `kernelWritten`: it writes the kernel of a package. */
export function situationOf(
  call: Call,
  files: readonly Output[],
  { settings, given }: Pick<Gathered, 'settings'> & Partial<Pick<Gathered, 'given'>>,
  kernelWritten = false,
): Situation {
  const { command, positional, own } = call;
  // `why PACKAGE ARTEFACT` and `which PATH ARTEFACT` read an artefact instead of a plan
  const locks = command === 'lock' && own['update'] !== true;
  const again = command === 'repro' || (command === 'verify' && own['rebuild'] === true);
  const builds = ['build', 'lock', 'extension'].includes(command) || again || isKind(command);
  const plans = command === 'plan' || (positional[1] === undefined && (command === 'why' || command === 'which'));
  // `extension NAME SOURCE…`
  const source = positional[command === 'extension' ? 1 : 0];
  const existing = source !== undefined && (locks || (command !== 'lock' && command !== 'verify'));
  const kernel = command === 'boot' && own['kernel'] === undefined;
  // a lock names a distribution or a system
  const named = given?.has('distro') === true || given?.has('profile') === true || settings.lock !== undefined;
  const system = settings.buildMethod === 'dracut' && (settings.sysroot !== undefined || !named);
  const made = existing ? 'rootfs' : system ? 'system' : 'packages';
  const base = builds ? made : plans ? 'packages' : kernel ? 'kernel' : undefined;
  const scripts = base === 'packages' && (builds || command === 'which' || own['scripts'] === true);
  // `which` builds the guest in memory, so all that makes a rootfs has an effect
  const outputs: readonly OutputKind[] =
    command === 'which' && base === 'packages'
      ? ['rootfs']
      : // a lock of no output may be for each of them
        (command === 'lock' || again) && files.length === 0
        ? ['rootfs', 'initrd', 'image']
        : files.map(({ kind }) => kind);
  return {
    ...{ command, base, outputs, scripts, kernelWritten, remote: namesRegistry(call, settings) },
    ...(base === 'rootfs' ? { source } : {}),
    ...(settings.arch !== undefined && positional.some(holdsContainers) ? { containers: true } : {}),
    settings: command === 'extension' ? contentsOfExtension(settings, given, own['base'] !== undefined) : settings,
  };
}

/** True when a registry or a layout is named: on the command line, or as an input. */
function namesRegistry({ command, positional }: Call, settings: Settings): boolean {
  if (command === 'push' || command === 'pull' || positional.some(isReference) || settings.push !== undefined)
    return true;
  return SETTING_KEYS.some((key) => {
    if (roleOf(key) !== 'input') return false;
    const value: unknown = settings[key];
    return [value].flat().some((one) => typeof one === 'string' && isReference(one));
  });
}

/** Groups settings by reason, so that a file with ten of them gives one message. */
function grouped(idle: readonly IdleSetting[]): { names: string[]; reason: string }[] {
  const reasons = new Map<string, string[]>();
  for (const { given, idle: why } of idle) reasons.set(why.reason, [...(reasons.get(why.reason) ?? []), given.name]);
  return [...reasons].map(([reason, names]) => ({ names, reason }));
}

function sentences(idle: readonly IdleSetting[]): string[] {
  return grouped(idle).map(({ names, reason }) => warning('SETTING_UNUSED', { names, reason }).message);
}

/** Settings that contradict each other. One from a stronger source overrides the other instead. */
function rejectContradictions({ settings, given }: Gathered): void {
  const reject = (first: keyof typeof settings, second: keyof typeof settings, reason: string): void => {
    const [a, b] = [given.get(first), given.get(second)];
    if (a !== undefined && b !== undefined && a.from === b.from)
      throw new BuildError('SETTING_CONFLICT', {
        reason: `${a.name} and ${b.name}: ${reason}`,
        settings: [first, second],
      });
  };
  if (settings.quiet && settings.verbose) reject('quiet', 'verbose', 'only one of them can be');
  if (settings.agentPolicy === false && settings.agentPolicyFile !== undefined)
    reject('agentPolicy', 'agentPolicyFile', 'a policy is given and left out at once');
  if (settings.skipDaxHeader === false && settings.partitionTable === 'gpt')
    reject('skipDaxHeader', 'partitionTable', 'a GPT disk has no header for NVDIMM devices');
}

const STRENGTH = ['file', 'environment', 'flag'] as const;

/** If `quiet` and `verbose` come from two sources, the stronger one is used. */
function withLoudness(all: Gathered): Gathered {
  const { settings, given } = all;
  if (!settings.quiet || !settings.verbose) return all;
  const strength = (key: 'quiet' | 'verbose') => STRENGTH.indexOf(given.get(key)!.from);
  if (strength('quiet') === strength('verbose')) return all;
  const weaker = strength('quiet') < strength('verbose') ? 'quiet' : 'verbose';
  return { ...all, settings: { ...settings, [weaker]: false } };
}

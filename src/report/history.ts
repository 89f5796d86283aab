import type { Change, Step } from '../tree/history.ts';

/** What each step is called in text; what a step belongs to follows. */
const TITLES: Readonly<Record<string, string>> = {
  agent: 'the agent',
  chrony: 'Kata’s settings for chrony',
  'clear-var': 'the clearing of /var',
  confidential: 'the settings of a confidential guest',
  database: 'the package database',
  devices: 'the device nodes',
  'drop-units': 'the removal of units that a Kata guest does not need',
  links: 'the links of the distribution',
  'merged-usr': 'the merging of /usr',
  prepared: 'the folders that packages need before any script',
  owners: 'the owners that accounts give to files',
  policy: 'the agent’s policy',
  'resolv.conf': 'the empty resolv.conf',
  summary: 'the summary of the guest',
  trim: 'the trimming of the distribution',
  units: 'Kata’s units',
};

/** A step in words: `postinst configure of dash 0.5.12-12`, `overlay etc.tar`. */
export function stepTitle({ step, package: name, version, script, source }: Step): string {
  const of = name === undefined ? '' : `${name}${version === undefined ? '' : ` ${version}`}`;
  if (step === 'package') return `package ${of}`;
  if (step === 'script') return `${script} of ${of}`;
  const title = TITLES[step] ?? step;
  return source === undefined ? title : `${title} ${source}`;
}

/** One line for a change: `created by package dash 0.5.12-12`, `mode, owner changed by overlay etc.tar`. */
export function changeLine({ by, effect, properties }: Change): string {
  const what = properties.length === 0 ? effect : `${properties.join(', ')} ${effect}`;
  return `${what} by ${stepTitle(by)}`;
}

import { overlayEntries } from '../tree/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import { installAgent } from './agent.ts';
import { setUpChrony } from './chrony.ts';
import { provideExtensions } from './extensions.ts';
import { type Guest, ours } from './guest.ts';
import { installPolicy } from './policy.ts';
import { SUMMARY, writeSummary } from './summary.ts';
import { dropUnneededUnits, enableKata, prepareConfidential, provideTmpMount } from './units.ts';
import { clearVar } from './var.ts';

/** Turns a rootfs into a Kata guest: every step in the same order as in the shell-based osbuilder. */
export function provision(tree: Tree, guest: Guest): void {
  const systemd = guest.init === 'systemd';
  const summary = tree.text(SUMMARY);
  const mark = (step: string, source?: string) =>
    guest.history?.mark(tree, source === undefined ? { step } : { step, source });
  clearVar(tree, guest);
  mark('clear-var');
  if (systemd) provideTmpMount(tree, guest);
  mark('units');
  if (guest.modules !== undefined) {
    const { name, entries } = guest.modules;
    const folder = `lib/modules/${name}`;
    tree.makeDirectory(folder, ours(guest, 0o755));
    overlayEntries(tree, entries, { source: name, below: folder, report: guest.report });
    mark('modules', name);
  }
  setUpChrony(tree, guest);
  mark('chrony');
  installAgent(tree, guest);
  mark('agent');
  if (systemd) {
    enableKata(tree, guest);
    provideExtensions(tree, guest);
  }
  mark('units');
  if (guest.confidential) prepareConfidential(tree, guest);
  mark('confidential');
  installPolicy(tree, guest);
  mark('policy');
  for (const layer of guest.tarballs) {
    overlayEntries(tree, layer.entries, { source: layer.name, report: guest.report });
    mark('overlay', layer.name);
  }
  emptyResolvConf(tree, guest);
  mark('resolv.conf');
  if (guest.overlay !== true) dropUnneededUnits(tree);
  mark('drop-units');
  writeSummary(tree, guest, summary);
  mark('summary');
}

/** An empty regular file, never a link: the agent mounts the pod's file over it. */
function emptyResolvConf(tree: Tree, guest: Guest): void {
  tree.remove('etc/resolv.conf');
  tree.makeDirectory('etc', ours(guest, 0o755));
  tree.writeFile('etc/resolv.conf', '', ours(guest, 0o644));
}

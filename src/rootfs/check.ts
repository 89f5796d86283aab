import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { AGENT } from './agent.ts';
import type { Init } from './guest.ts';

const SYSTEMD = ['usr/lib/systemd/systemd', 'lib/systemd/systemd'];

/** Warns of kernel modules that the guest's modprobe cannot find: `depmod` never indexed them. */
export function checkModules(tree: Tree, report: Report): void {
  const modules = 'lib/modules';
  for (const release of tree.list(modules)) {
    const folder = `${modules}/${release}`;
    const kernel = tree.stat(`${folder}/kernel`);
    if (kernel?.kind !== 'directory' || kernel.children.size === 0) continue;
    if (!tree.has(`${folder}/modules.dep`) && !tree.has(`${folder}/modules.dep.bin`))
      report(warning('MODULES_UNINDEXED', { path: `/${display(folder)}` }));
  }
}

/** Rejects a rootfs that cannot boot: no init, or not the requested one, or no agent for it to start. */
export function checkRootfs(tree: Tree, init: Init): void {
  const hint = 'give a file as `agent`, or build it unchecked with `skipRootfsCheck`';
  const reject = (reason: string): never => {
    throw new BuildError('ROOTFS_UNFIT', { reason }, { hint });
  };
  const real = tree.realpath('sbin/init');
  const program = tree.stat('sbin/init');
  if (real === undefined || program === undefined) return reject('/sbin/init is not there');
  const systemd = SYSTEMD.map((path) => tree.realpath(path)).find((path) => path !== undefined);
  if (init === 'agent') {
    if (real === systemd) reject('/sbin/init is systemd, but the agent should be process 1');
    if (program.kind !== 'file' || (program.mode & 0o111) === 0) reject('/sbin/init is not a program');
    return;
  }
  if (systemd === undefined) reject('systemd should be process 1, but it is not there');
  const agent = tree.stat(AGENT);
  if (agent?.kind !== 'file' || (agent.mode & 0o111) === 0) reject(`/${AGENT} is not there, or is not a program`);
}

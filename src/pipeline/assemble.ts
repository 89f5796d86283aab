import { openArtefact } from '../artefacts/open.ts';
import { BuildError } from '../errors/error.ts';
import type { Order, Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import type { Tree } from '../tree/tree.ts';
import type { BuildRequest } from './request.ts';
import { newestTime } from './settle.ts';

/** A rootfs before Kata's steps: a distribution's, or one that was there already. */
export interface Base {
  readonly tree: Tree;
  /** The time that nothing in the outputs is later than, in Unix seconds. */
  readonly epoch: number;
  /** Packages that it was made of, and what they were decided from; left out for an existing rootfs. */
  readonly plan?: Plan;
  /** Folder of the package manager's database, where the guest keeps one. */
  readonly database?: string;
}

/** The rootfs that a request starts from. */
export async function assembleBase(request: BuildRequest, order: Order | undefined, host: Host): Promise<Base> {
  return order === undefined ? existing(request, host) : fromPackages(request, order, host);
}

async function existing({ source, settings }: BuildRequest, host: Host): Promise<Base> {
  const tree = await (await openRootfs(source!, host)).tree();
  // what is made here is no newer than what it is made of: the clock has no say
  return { tree, epoch: settings.sourceDateEpoch ?? newestTime(tree) };
}

async function fromPackages({ settings }: BuildRequest, order: Order, host: Host): Promise<Base> {
  const [{ assemble, planOrder }, { familyOf }] = await Promise.all([
    import('../families/assemble.ts'),
    import('../families/families.ts'),
  ]);
  const family = await familyOf(order);
  family.validate(order, host);
  const plan = await planOrder(family, order, host);
  const epoch = settings.sourceDateEpoch ?? plan.date;
  const { tree, database } = await assemble(family, plan, epoch, host);
  return { tree, epoch, plan, ...(database === undefined ? {} : { database }) };
}

async function openRootfs(path: string, host: Host) {
  const artefact = await openArtefact(path, host.workspace);
  if (artefact.kind === 'file')
    throw new BuildError('ROOTFS_UNKNOWN', {
      path,
      reason: 'it is neither a folder nor an archive nor an image with ext4',
    });
  return artefact;
}

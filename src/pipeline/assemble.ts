import { openRootfs } from '../artefacts/open.ts';
import { BuildError } from '../errors/error.ts';
import type { Described } from '../families/assemble.ts';
import type { Order, Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import type { Lock } from '../lock/lock.ts';
import type { History } from '../tree/history.ts';
import { fromText } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';
import type { Installed } from './bill-packages.ts';
import type { BuildRequest } from './request.ts';
import { newestTime } from './settle.ts';

/** A rootfs before Kata's steps: a distribution's, or an existing one. */
export interface Base {
  readonly tree: Tree;
  /** Unix seconds: no time stamp in the outputs is later. */
  readonly epoch: number;
  /** The packages it was made of; absent for an existing rootfs. */
  readonly plan?: Plan;
  /** What the packages say of themselves; absent for an existing rootfs. */
  readonly described?: Described;
  /** Packages that an existing rootfs or system has, where a bill of materials is asked for. */
  readonly installed?: Installed;
  /** Folder of the package manager's database, if the guest keeps one. */
  readonly database?: string;
  /** The package that holds each path; absent for an existing rootfs. */
  readonly owners?: () => Promise<Map<string, readonly string[]>>;
  /** Called for every step that changed the tree, where someone asks for it. */
  readonly history?: History;
}

/** Opens the existing rootfs that a request starts from; its times end with the lock's. */
export async function openSource({ source, settings }: BuildRequest, host: Host, lock?: Lock): Promise<Base> {
  const tree = below(await (await openRootfs(source!, host)).tree(), source!, settings.sourceRoot);
  if (settings.sourceOwner === 'root') ownByRoot(tree);
  const installed =
    settings.sbom === undefined
      ? {}
      : { installed: await (await import('./bill-packages.ts')).installedIn(tree, source!, host.report) };
  // the outputs are not newer than their source: the clock has no influence
  return { tree, epoch: settings.sourceDateEpoch ?? lock?.epoch ?? newestTime(tree), ...installed };
}

/** Plans, fetches and installs the packages of an order. */
export async function assemblePackages(order: Order, host: Host, history?: History): Promise<Base> {
  const [{ assemble, planOrder }, { familyOf }] = await Promise.all([
    import('../families/assemble.ts'),
    import('../families/families.ts'),
  ]);
  const family = await familyOf(order);
  const plan = await planOrder(family, order, host);
  const epoch = order.settings.sourceDateEpoch ?? plan.date;
  const { tree, database, owners, described } = await assemble(
    ...([family, plan, epoch, host] as const),
    history === undefined ? {} : { history },
  );
  return {
    ...{ tree, epoch, plan, owners, described },
    ...(database === undefined ? {} : { database }),
    ...(history === undefined ? {} : { history }),
  };
}

/** The part of a tree below `root`: links are resolved inside the tree and never lead outside it. */
function below(tree: Tree, source: string, root: string | undefined): Tree {
  if (root === undefined) return tree;
  const found = tree.stat(fromText(root.replace(/^\/+|\/+$/g, '')));
  if (found?.kind === 'directory') return new Tree(found);
  throw new BuildError('SETTING_INVALID', {
    setting: 'sourceRoot',
    value: root,
    reason:
      found === undefined
        ? `${source} has no such directory`
        : `it is a ${found.kind} in ${source}, expected a directory`,
  });
}

/** Sets the owner of every entry to root. */
function ownByRoot(tree: Tree): void {
  for (const { inode } of tree.walk()) {
    inode.uid = 0;
    inode.gid = 0;
    delete inode.user;
    delete inode.group;
  }
}

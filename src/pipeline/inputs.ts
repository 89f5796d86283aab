import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Artefact } from '../artefacts/kind.ts';
import { openArtefact } from '../artefacts/open.ts';
import { type FileContent, memory } from '../bytes/content.ts';
import { withoutEnding } from '../bytes/ending.ts';
import { hostFile } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { warning } from '../events/events.ts';
import type { Host } from '../fetch/host.ts';
import { AGENT, agentIn } from '../rootfs/agent.ts';
import type { AgentSource, Layer } from '../rootfs/guest.ts';
import { ALLOW_ALL } from '../rootfs/policy.ts';
import type { Settings } from '../settings/table.ts';
import type { Entry } from '../tree/entry.ts';
import { display, fromText } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/** The user's inputs besides packages, opened and recognised. */
export interface Inputs {
  readonly agent: AgentSource | undefined;
  /** A folder of kernel modules, under the name of its release. */
  readonly modules: { readonly name: string; readonly entries: readonly Entry[] } | undefined;
  readonly policy: { readonly name: string; readonly content: FileContent } | undefined;
  /** Kata's tarballs, in the order in which they are applied. */
  readonly tarballs: readonly Layer[];
  /** The user's overlays, in order. */
  readonly overlays: readonly Layer[];
}

/** Opens every file and folder that settings name for the guest, before anything is fetched. */
export async function readInputs(settings: Settings, host: Host): Promise<Inputs> {
  return {
    agent: await agentOf(settings, host),
    modules: await modulesOf(settings, host),
    policy: policyOf(settings, host),
    tarballs: await tarballsOf(settings, host),
    overlays: await overlaysOf(settings, host),
  };
}

/** The agent, recognised by its content: `demo`, a program, an archive of files, or another Kata guest. */
async function agentOf(settings: Settings, host: Host): Promise<AgentSource | undefined> {
  const { agent } = settings;
  if (agent === undefined) return undefined;
  if (agent === 'demo') return { kind: 'demo' };
  const artefact = await openArtefact(agent, host);
  switch (artefact.kind) {
    case 'tar': {
      const entries = await gathered(artefact.entries());
      if (!entries.some(({ path }) => basename(path) === 'kata-agent'))
        throw new BuildError('AGENT_MISSING', { source: agent, path: `/${AGENT}` });
      return { kind: 'layer', layer: { name: agent, entries } };
    }
    case 'initrd':
    case 'disk':
    case 'ext4':
    case 'erofs':
    case 'xfs':
    case 'directory':
      return { kind: 'guest', name: agent, tree: await guestWithAgent(agent, artefact) };
    case 'file': {
      if (artefact.compression !== 'none')
        throw new BuildError('AGENT_UNKNOWN', {
          path: agent,
          reason: `it is compressed with ${artefact.compression}, but contains neither an archive nor an image`,
        });
      const content = hostFile(agent);
      if (!(await isProgram(artefact)))
        throw new BuildError('AGENT_UNKNOWN', {
          path: agent,
          reason: 'expected a program, an archive or a Kata image',
        });
      return { kind: 'binary', name: agent, content };
    }
    default:
      artefact.kind satisfies never;
      return undefined;
  }
}

/** The tree of another guest, which must have an agent. */
async function guestWithAgent(name: string, artefact: Artefact): Promise<Tree> {
  const tree = await artefact.tree();
  if (agentIn(tree) === undefined) throw new BuildError('AGENT_MISSING', { source: name, path: `/${AGENT}` });
  return tree;
}

/** True for an ELF file, and for a script, which may take the agent's place in tests. */
async function isProgram(artefact: Artefact): Promise<boolean> {
  if (artefact.size < 4) return false;
  const first = new Uint8Array(4);
  (await artefact.access()).readAt(0, first);
  const magic = String.fromCharCode(...first);
  return magic === '\x7fELF' || magic.startsWith('#!');
}

/** A folder of kernel modules, under the name of its release. */
async function modulesOf(settings: Settings, host: Host): Promise<Inputs['modules']> {
  const folder = settings.kernelModulesDir;
  if (folder === undefined) return undefined;
  const artefact = await openArtefact(folder, host);
  if (artefact.kind !== 'directory')
    throw new BuildError('SETTING_INVALID', {
      setting: 'kernelModulesDir',
      value: folder,
      reason: 'expected a folder',
    });
  const entries = await gathered(artefact.entries());
  const name = fromText(basename(withoutEnding(folder, '/')));
  const [release] = releasesIn(entries);
  // Kata's own tools copy such a folder as well
  if (release !== undefined)
    host.report(warning('MODULES_ABOVE', { folder, name: display(name), release: display(release) }));
  const whole = hasIndexes(folder) ? undefined : kernelAbove(folder);
  if (whole !== undefined)
    host.report(warning('MODULES_BELOW', { folder, name: display(name), release: basename(whole) }));
  return { name, entries: owned(entries) };
}

/** True for the folder of one kernel, as `make modules_install` leaves it. */
const hasIndexes = (folder: string): boolean =>
  ['order', 'builtin', 'dep'].some((name) => existsSync(join(folder, `modules.${name}`)));

/** The folder of the kernel that a folder is a part of, as `kernel` and `kernel/drivers` are. */
function kernelAbove(folder: string): string | undefined {
  for (let at = dirname(resolve(folder)); at !== dirname(at); at = dirname(at)) if (hasIndexes(at)) return at;
  return undefined;
}

/** Releases of kernels in a folder that is no release's own, as `/lib/modules` and `/lib` are: their paths. */
function releasesIn(entries: readonly Entry[]): string[] {
  const releases = new Set<string>();
  for (const { path } of entries) {
    const found = /^(?:\.\/)?(?:(.+)\/)?(?:kernel|modules\.(?:order|builtin|dep))$/s.exec(path);
    if (found === null) continue;
    if (found[1] === undefined) return [];
    releases.add(found[1]);
  }
  return [...releases].sort();
}

/** The agent's policy: a file, or the one that allows everything; none unless asked for. */
function policyOf(settings: Settings, host: Host): Inputs['policy'] {
  if (settings.agentPolicyFile !== undefined)
    return {
      name: fromText(basename(settings.agentPolicyFile)),
      content: memory(host.readFile(settings.agentPolicyFile)),
    };
  return settings.agentPolicy ? { name: 'allow-all.rego', content: memory(ALLOW_ALL) } : undefined;
}

/** The tarballs of Kata's parts, in the order in which they are applied on top of the rootfs. */
async function tarballsOf(settings: Settings, host: Host): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const path of [settings.guestHooksTarball, settings.pauseImageTarball, settings.cocoGuestComponentsTarball])
    if (path !== undefined) layers.push(await layerOf(path, host));
  return layers;
}

/** The user's own overlays. Files from a folder belong to root, whatever their owner on the build host. */
async function overlaysOf(settings: Settings, host: Host): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const path of settings.overlay ?? []) layers.push(await layerOf(path, host));
  return layers;
}

async function layerOf(path: string, host: Host): Promise<Layer> {
  const artefact = await openArtefact(path, host);
  if (artefact.kind === 'file')
    throw new BuildError('ROOTFS_UNKNOWN', { path, reason: 'expected a folder or an archive' });
  const entries = await gathered(artefact.entries());
  return { name: path, entries: artefact.kind === 'directory' ? owned(entries) : entries };
}

function owned(entries: readonly Entry[]): Entry[] {
  return entries.map((entry) => {
    if (!('inode' in entry)) return entry;
    const { user: _, group: __, ...inode } = entry.inode;
    return { path: entry.path, inode: { ...inode, uid: 0, gid: 0 } as typeof entry.inode };
  });
}

/** All entries of an archive or folder, in order. */
export async function gathered(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

import { basename } from 'node:path';
import { openArtefact } from '../artefacts/open.ts';
import { memory } from '../bytes/content.ts';
import { hostFile } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import type { AgentSource, Layer } from '../rootfs/guest.ts';
import { ALLOW_ALL } from '../rootfs/policy.ts';
import type { Settings } from '../settings/table.ts';
import type { Entry } from '../tree/entry.ts';
import { fromText } from '../tree/path.ts';

/** Reads what the user hands in besides packages: agent, modules, policy, tarballs, overlays. */

/** The agent, recognised by what it is: `demo`, a program, an archive of files, or another Kata guest. */
export async function agentOf(settings: Settings, host: Host): Promise<AgentSource | undefined> {
  const { agent } = settings;
  if (agent === undefined) return undefined;
  if (agent === 'demo') return { kind: 'demo' };
  const artefact = await openArtefact(agent, host.workspace);
  switch (artefact.kind) {
    case 'tar':
      return { kind: 'layer', layer: { name: agent, entries: await gathered(artefact.entries()) } };
    case 'initrd':
    case 'disk':
    case 'ext4':
    case 'directory':
      return { kind: 'guest', name: agent, tree: await artefact.tree() };
    case 'file': {
      if (artefact.compression !== 'none')
        throw new BuildError('AGENT_UNKNOWN', {
          path: agent,
          reason: `what it holds (${artefact.compression}) is neither an archive nor an image`,
        });
      const content = hostFile(agent);
      const first = content.readSync().subarray(0, 4);
      // a script may stand in for the agent in tests
      if (!(first[0] === 0x7f && first[1] === 0x45) && !(first[0] === 0x23 && first[1] === 0x21))
        throw new BuildError('AGENT_UNKNOWN', {
          path: agent,
          reason: 'it is no program, no archive and no Kata image',
        });
      return { kind: 'binary', name: agent, content };
    }
    default:
      artefact.kind satisfies never;
      return undefined;
  }
}

/** A folder of kernel modules, under the name of its release. */
export async function modulesOf(
  settings: Settings,
  host: Host,
): Promise<{ name: string; entries: readonly Entry[] } | undefined> {
  const folder = settings.kernelModulesDir;
  if (folder === undefined) return undefined;
  const artefact = await openArtefact(folder, host.workspace);
  if (artefact.kind !== 'directory')
    throw new BuildError('SETTING_INVALID', {
      setting: 'kernelModulesDir',
      value: folder,
      reason: 'it is no folder',
    });
  return { name: fromText(basename(folder.replace(/\/+$/, ''))), entries: owned(await gathered(artefact.entries())) };
}

/** The agent's policy: a file, or the one that allows everything; none unless asked for. */
export function policyOf(
  settings: Settings,
  host: Host,
): { name: string; content: ReturnType<typeof memory> } | undefined {
  if (settings.agentPolicyFile !== undefined)
    return {
      name: fromText(basename(settings.agentPolicyFile)),
      content: memory(host.readFile(settings.agentPolicyFile)),
    };
  return settings.agentPolicy ? { name: 'allow-all.rego', content: memory(ALLOW_ALL) } : undefined;
}

/** The tarballs of Kata's parts, in the order in which they are laid over the rootfs. */
export async function tarballsOf(settings: Settings, host: Host): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const path of [settings.guestHooksTarball, settings.pauseImageTarball, settings.cocoGuestComponentsTarball])
    if (path !== undefined) layers.push(await layerOf(path, host));
  return layers;
}

/** The user's own overlays. What comes from a folder belongs to root, whoever owns it on the build host. */
export async function overlaysOf(settings: Settings, host: Host): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const path of settings.overlay ?? []) layers.push(await layerOf(path, host));
  return layers;
}

async function layerOf(path: string, host: Host): Promise<Layer> {
  const artefact = await openArtefact(path, host.workspace);
  if (artefact.kind === 'file')
    throw new BuildError('ROOTFS_UNKNOWN', { path, reason: 'it is neither a folder nor an archive' });
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

async function gathered(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

import { BuildError } from '../errors/error.ts';
import { type File, rootMeta } from '../tree/inode.ts';
import { overlayEntries } from '../tree/overlay.ts';
import { basename, safePath } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type AgentSource, type Guest, ours } from './guest.ts';
import { UNITS } from './units.ts';

/** Path of the agent when systemd starts it. */
export const AGENT = 'usr/bin/kata-agent';

const AGENT_SERVICE = `[Unit]
Description=Kata Containers Agent
Documentation=https://github.com/kata-containers/kata-containers
Wants=kata-containers.target

[Service]
# the runtime reads the agent's output from the console
StandardOutput=tty
Type=simple
ExecStart=/usr/bin/kata-agent
LimitNOFILE=1073741824
ExecStop=/bin/sync ; /usr/bin/systemctl --force poweroff
FailureAction=poweroff
# the agent is the last process that should fall to the OOM killer
OOMScoreAdjust=-997
`;

const KATA_TARGET = `[Unit]
Description=Kata Containers Agent Target
Requires=basic.target
Requires=tmp.mount
Requires=kata-agent.service
Wants=chronyd.service
Conflicts=rescue.service rescue.target
After=basic.target rescue.service rescue.target
AllowIsolate=yes
`;

/**
 * A replacement for the agent, for demos and tests: it prints on the console that the guest has booted, then waits as
 * the agent would. As process 1 it first mounts what the agent mounts.
 */
export const DEMO_AGENT = `#!/bin/sh
# osbuilder's stand-in for kata-agent: shows that the guest starts it, and does nothing else.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ "$$" = 1 ]; then
	mount -t devtmpfs dev /dev 2>/dev/null
	mount -t proc proc /proc 2>/dev/null
	mount -t sysfs sysfs /sys 2>/dev/null
	mount -t tmpfs tmpfs /run 2>/dev/null
	exec </dev/console >/dev/console 2>&1
fi
echo "KATA-AGENT-READY" >/dev/console
while :; do
	sleep 3600
done
`;

/** Programs that {@link DEMO_AGENT} runs. */
export const DEMO_PROGRAMS = ['sh', 'mount', 'sleep'];

/** Installs the agent, and for systemd its units, in the rootfs. */
export function installAgent(tree: Tree, guest: Guest): void {
  const source = guest.agent;
  if (source !== undefined) placeAgent(tree, guest, source);
  if (guest.init === 'agent') {
    const agent = tree.stat(AGENT);
    if (agent !== undefined && source !== undefined) {
      const path = tree.realpath(AGENT)!;
      tree.remove(path);
      if (tree.lstat(AGENT) !== undefined) tree.remove(AGENT);
      tree.set('sbin/init', agent);
    }
    return;
  }
  const provide = (name: string, text: string) => {
    if (!tree.has(`${UNITS}/${name}`)) tree.writeFile(`${UNITS}/${name}`, text, ours(guest, 0o644));
  };
  provide('kata-agent.service', AGENT_SERVICE);
  provide('kata-containers.target', KATA_TARGET);
}

function placeAgent(tree: Tree, guest: Guest, source: AgentSource): void {
  switch (source.kind) {
    case 'demo':
      tree.writeFile(AGENT, DEMO_AGENT, ours(guest, 0o755));
      return;
    case 'binary':
      tree.remove(AGENT);
      tree.writeFile(AGENT, source.content, ours(guest, 0o755));
      return;
    case 'layer': {
      // a tarball may contain just the program instead of a rootfs layout
      const lone = source.layer.entries.filter((entry) => 'inode' in entry && entry.inode.kind === 'file');
      const only = lone.length === 1 ? lone[0]! : undefined;
      if (only !== undefined && 'inode' in only && safePath(only.path, source.layer.name) === 'kata-agent')
        tree.set(AGENT, { ...only.inode, mode: 0o755, uid: 0, gid: 0 });
      else overlayEntries(tree, source.layer.entries, { source: source.layer.name, report: guest.report });
      break;
    }
    case 'guest':
      takeAgent(tree, source);
  }
  const agent = tree.stat(AGENT);
  if (agent?.kind !== 'file')
    throw new BuildError('AGENT_MISSING', {
      source: source.kind === 'layer' ? source.layer.name : source.name,
      path: `/${AGENT}`,
    });
  agent.mode = 0o755;
}

/** The agent of a Kata guest: its own program, or process 1 if that is the agent; undefined when there is none. */
export function agentIn(guest: Tree): File | undefined {
  for (const path of [AGENT, 'sbin/init', 'init']) {
    const real = guest.realpath(path);
    if (real === undefined || /(^|\/)(systemd|busybox|openrc-init)$/.test(real)) continue;
    const inode = guest.stat(path);
    if (inode?.kind === 'file') return inode;
  }
  return undefined;
}

/** Copies the agent and its units from another Kata guest. */
function takeAgent(tree: Tree, source: { readonly name: string; readonly tree: Tree }): void {
  const from = source.tree;
  const found = agentIn(from);
  if (found === undefined) throw new BuildError('AGENT_MISSING', { source: source.name, path: `/${AGENT}` });
  tree.set(AGENT, { ...found, mode: 0o755 });
  for (const folder of [UNITS, 'etc/systemd/system'])
    for (const name of from.list(folder))
      if (/^kata-.*\.(service|target|socket|path|timer)$/.test(name)) {
        const unit = from.stat(`${folder}/${name}`);
        if (unit?.kind === 'file') tree.set(`${UNITS}/${basename(name)}`, { ...unit, ...rootMeta(0o644, unit.mtime) });
      }
}

import { isoTime } from '../bytes/iso-time.ts';
import type { Tree } from '../tree/tree.ts';
import { type AgentSource, type Guest, ours, UNSPECIFIED } from './guest.ts';

/** Path of the summary, as kata-collect-data.sh expects it. */
export const SUMMARY = 'var/lib/osbuilder/osbuilder.yaml';

/**
 * Writes what was built, with the keys that Kata's tools read. `earlier` is the summary of an existing rootfs: it
 * records what the rootfs was made of, and which agent is in it if no other was installed.
 */
export function writeSummary(tree: Tree, guest: Guest, earlier: string | undefined): void {
  let text = summaryText(guest);
  if (guest.summary.distro.name === UNSPECIFIED) text = keepBlock(text, 'base-distro', earlier);
  if (guest.agent === undefined) text = keepBlock(text, 'agent', earlier);
  tree.makeDirectory('var/lib/osbuilder', ours(guest, 0o755));
  tree.writeFile(SUMMARY, text, ours(guest, 0o644));
}

/** The text with one of its blocks as it was in an earlier summary, if that has it in the form written here. */
function keepBlock(text: string, key: string, earlier: string | undefined): string {
  const block = new RegExp(`^${key}:\\n(?: {2,}(?:- )?(?:[a-z-]+:)?(?: ?"[^"\\n]*"| \\[\\])?\\n)+`, 'm');
  const kept = block.exec(earlier ?? '')?.[0];
  return kept === undefined ? text : text.replace(block, () => kept);
}

function summaryText(guest: Guest): string {
  const { version, description, architecture, distro, packages } = guest.summary;
  // JSON strings are valid YAML double-quoted strings
  const q = (text: string) => JSON.stringify(text);
  const list = (names: readonly string[]) =>
    (names.length === 0 ? [' []'] : ['', ...names.map((name) => `      - ${q(name)}`)]).join('\n');
  return `---
osbuilder:
  url: ${q(`pkg:npm/osbuilder@${version}`)}
  version: ${q(version)}
rootfs-creation-time: ${q(isoTime(guest.epoch).replace('Z', '.000000000+0000Z'))}
description: ${q(description)}
file-format-version: "0.0.2"
architecture: ${q(architecture)}
base-distro:
  name: ${q(distro.name)}
  version: ${q(distro.version)}${distro.ended === undefined ? '' : `\n  end-of-life: ${q(distro.ended)}`}
  packages:
    default:${list(packages.default)}
    extra:${list(packages.extra)}
agent:
  url: "https://github.com/kata-containers/kata-containers"
  name: "kata-agent"
  version: ${q(agentVersion(guest.agent))}
  agent-is-init-daemon: ${q(guest.init === 'agent' ? 'yes' : 'no')}
`;
}

function agentVersion(agent: AgentSource | undefined): string {
  return agent === undefined ? 'none' : agent.kind === 'demo' ? 'demo' : 'unknown';
}

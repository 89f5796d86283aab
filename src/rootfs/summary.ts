import type { Tree } from '../tree/tree.ts';
import { type AgentSource, type Guest, ours } from './guest.ts';

/** Where the summary lies; kata-collect-data.sh reads it there. */
export const SUMMARY = 'var/lib/osbuilder/osbuilder.yaml';

/** Writes what was built, under the keys that Kata's tools read. */
export function writeSummary(tree: Tree, guest: Guest): void {
  tree.makeDirectory('var/lib/osbuilder', ours(guest, 0o755));
  tree.writeFile(SUMMARY, summaryText(guest), ours(guest, 0o644));
}

function summaryText(guest: Guest): string {
  const { version, description, architecture, distro, packages } = guest.summary;
  // JSON's strings are YAML's double-quoted ones
  const q = (text: string) => JSON.stringify(text);
  const list = (names: readonly string[]) =>
    (names.length === 0 ? [' []'] : ['', ...names.map((name) => `      - ${q(name)}`)]).join('\n');
  return `---
osbuilder:
  url: ${q(`pkg:npm/osbuilder@${version}`)}
  version: ${q(version)}
rootfs-creation-time: ${q(new Date(guest.epoch * 1000).toISOString().replace('.000Z', '.000000000+0000Z'))}
description: ${q(description)}
file-format-version: "0.0.2"
architecture: ${q(architecture)}
base-distro:
  name: ${q(distro.name)}
  version: ${q(distro.version)}
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

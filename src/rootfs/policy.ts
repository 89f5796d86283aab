import type { Tree } from '../tree/tree.ts';
import { type Guest, ours } from './guest.ts';

const FOLDER = 'etc/kata-opa';

/** Every request that the agent checks against its policy; the allow-all policy permits each. */
const REQUESTS = [
  'AddARPNeighborsRequest',
  'AddSwapRequest',
  'CloseStdinRequest',
  'CopyFileRequest',
  'CreateContainerRequest',
  'CreateSandboxRequest',
  'DestroySandboxRequest',
  'ExecProcessRequest',
  'GetMetricsRequest',
  'GetOOMEventRequest',
  'GuestDetailsRequest',
  'ListInterfacesRequest',
  'ListRoutesRequest',
  'MemHotplugByProbeRequest',
  'OnlineCPUMemRequest',
  'PauseContainerRequest',
  'PullImageRequest',
  'ReadStreamRequest',
  'RemoveContainerRequest',
  'RemoveStaleVirtiofsShareMountsRequest',
  'ReseedRandomDevRequest',
  'ResumeContainerRequest',
  'SetGuestDateTimeRequest',
  'SetPolicyRequest',
  'SignalProcessRequest',
  'StartContainerRequest',
  'StartTracingRequest',
  'StatsContainerRequest',
  'StopTracingRequest',
  'TtyWinResizeRequest',
  'UpdateContainerRequest',
  'UpdateEphemeralMountsRequest',
  'UpdateInterfaceRequest',
  'UpdateRoutesRequest',
  'WaitProcessRequest',
  'WriteStreamRequest',
];

/** A policy that allows every request of the host. */
export const ALLOW_ALL = `package agent_policy\n\n${REQUESTS.map((name) => `default ${name} := true\n`).join('')}`;

/** Installs the agent's policy and makes it the default one. */
export function installPolicy(tree: Tree, guest: Guest): void {
  if (guest.policy === undefined) return;
  tree.makeDirectory(FOLDER, ours(guest, 0o755));
  tree.remove(`${FOLDER}/${guest.policy.name}`);
  tree.writeFile(`${FOLDER}/${guest.policy.name}`, guest.policy.content, ours(guest, 0o644));
  if (guest.policy.name !== 'default-policy.rego')
    tree.symlink(`${FOLDER}/default-policy.rego`, guest.policy.name, ours(guest, 0o777));
}

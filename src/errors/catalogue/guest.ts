/** Errors about the guest that is being made. Codes are stable: programs match on them. */
export const GUEST = {
  AGENT_MISSING: (c: { source: string; path: string }) => `${c.source} contains no agent: there is no ${c.path} in it`,
  AGENT_UNKNOWN: (c: { path: string; reason: string }) => `${c.path} cannot be the agent: ${c.reason}`,
  CONTAINER_INVALID: (c: { path: string; reason: string }) => `${c.path}: damaged image of a container: ${c.reason}`,
  CONTAINER_SEVERAL: (c: { path: string; images: readonly string[] }) =>
    `${c.path} has ${c.images.length} images of containers: ${c.images.slice(0, 5).join(', ')}${c.images.length > 5 ? ', …' : ''}`,
  DATABASE_INVALID: (c: { path: string; line?: number; reason: string }) =>
    `${c.path}${c.line === undefined ? '' : `, line ${c.line}`}: damaged package database: ${c.reason}`,
  DATABASE_MISSING: (c: { path: string }) => `${c.path} has no package database, so nothing says what is installed`,
  INPUT_INSIDE_OUTPUT: (c: { path: string; input: string }) =>
    `writing the folder ${c.path} would delete ${c.input}, which this build reads`,
  OUTPUT_INSIDE_INPUT: (c: { path: string; input: string }) =>
    `the output ${c.path} is inside ${c.input}, so the next build would pack it again`,
  OUTPUT_IS_INPUT: (c: { path: string; input: string }) =>
    `the output ${c.path} would overwrite ${c.input}, which this build reads`,
  PACKAGE_ABSENT: (c: { name: string; where: string }) => `${c.where} has no package "${c.name}"`,
  ROOTFS_UNFIT: (c: { reason: string }) => `the rootfs would not start: ${c.reason}`,
  ROOTFS_UNKNOWN: (c: { path: string; reason: string }) => `${c.path} is not a rootfs that can be read: ${c.reason}`,
  UNSOUND: (c: { path: string; count: number; faults: readonly string[] }) =>
    `${c.path} is not sound: ${c.faults[0]}${c.faults.length > 1 ? ` (and ${c.faults.length - 1} more)` : ''}`,
  UNVERIFIED: (c: { count: number; reasons: readonly string[] }) =>
    `${c.reasons.length} of ${c.count} files could not be verified:\n${c.reasons.map((one) => `  ${one}`).join('\n')}`,
  STRICT: (c: { count: number; messages: readonly string[] }) =>
    `${c.count} warning${c.count === 1 ? '' : 's'}, which \`strict\` makes an error:\n${c.messages.map((one) => `  ${one}`).join('\n')}`,
} as const;

/** Errors of OCI registries, layouts and artifacts. Codes are stable: programs match on them. Nothing secret is in them. */
export const REGISTRY = {
  REFERENCE_INVALID: (c: { reference: string; reason: string }) => `"${c.reference}" is no reference: ${c.reason}`,
  REGISTRY_PLAIN: (c: { registry: string }) =>
    `${c.registry} is not on this machine, and without TLS anybody on the way could read and change what passes`,
  REGISTRY_DENIED: (c: { url: string; status: number; reason: string }) =>
    `${c.url}: the registry answered ${c.status}: ${c.reason}`,
  REGISTRY_ANSWER: (c: { url: string; reason: string }) =>
    `${c.url}: the registry's answer cannot be used: ${c.reason}`,
  AUTH_FILE_INVALID: (c: { path: string; reason: string }) =>
    `${c.path} is no file of registry credentials: ${c.reason}`,
  AUTH_HELPER: (c: { path: string; registry: string; helper: string }) =>
    `${c.path} has the program docker-credential-${c.helper} asked for the password of ${c.registry}, and no programs are run`,
  OCI_MANIFEST_INVALID: (c: { source: string; reason: string }) =>
    `${c.source}: its manifest cannot be used: ${c.reason}`,
  PLATFORM_MISSING: (c: { source: string; platform: string; known: readonly string[] }) =>
    `${c.source} has nothing for ${c.platform}; it has ${c.known.length === 0 ? 'nothing' : c.known.join(', ')}`,
  ARTIFACT_FILES: (c: { source: string; reason: string }) => `${c.source}: its files cannot be used: ${c.reason}`,
  REFERENCE_UNSIGNED: (c: { source: string }) => `${c.source} has no signature in its registry`,
} as const;

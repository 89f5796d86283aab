/** Errors of the resolver. Codes are stable: programs match on them. */
export const RESOLVER = {
  DEB822_SYNTAX: (c: { file: string; line: number; fault: string }) => `${c.file}, line ${c.line}: ${c.fault}`,
  PACKAGES_SYNTAX: (c: { file: string; entry: number; fault: string }) => `${c.file}, package ${c.entry}: ${c.fault}`,
  PACKAGE_REQUEST: (c: { request: string; fault: string }) =>
    `"${c.request}" is not a valid package request: ${c.fault}`,
  PACKAGE_NOT_FOUND: (c: { name: string; request: string }) =>
    `no package "${c.name}" in the package lists${c.request === c.name ? '' : ` (requested as "${c.request}")`}`,
  PACKAGE_VERSION_NOT_FOUND: (c: { name: string; wanted: string; available: readonly string[] }) =>
    `${c.name} is not available as ${c.wanted}: available are ${c.available.join(', ')}`,
  PACKAGE_EXCLUDED: (c: { name: string; reason: string }) =>
    `"${c.name}" is excluded by the request, but the guest needs it: ${c.reason}`,
  PACKAGE_UNPROVEN: (c: { name: string; version: string; repository: string }) =>
    `${c.repository}: its package list has neither a SHA-256 nor a SHA-512 of ${c.name} ${c.version}, so the archive cannot be checked`,
  PACKAGE_WITHOUT_FILE: (c: { name: string; version: string; repository: string }) =>
    `${c.repository}: its package list names no file (Filename) for ${c.name} ${c.version}`,
  PACKAGE_FILE: (c: { path: string; reason: string }) => `package file ${c.path}: ${c.reason}`,
  PREFERENCES_INVALID: (c: { source: string; reason: string }) => `${c.source}: ${c.reason}`,
  PACKAGE_IS_VIRTUAL: (c: { name: string; providers: readonly string[] }) =>
    `"${c.name}" is a virtual package, provided by ${c.providers.join(', ')}`,
  UNSATISFIABLE: (c: { chains: readonly string[] }) =>
    `the packages cannot be installed together:\n${c.chains.map((chain) => `  ${chain}`).join('\n')}`,
  RESOLVER_LIMIT: (c: { what: string; limit: number }) =>
    `the dependencies cannot be resolved: they lead to more than ${c.limit} ${c.what}`,
  DEPENDENCIES_TOO_DEEP: (c: { package: string; depth: number }) =>
    `the dependencies of ${c.package} are nested more than ${c.depth} levels deep`,
} as const;

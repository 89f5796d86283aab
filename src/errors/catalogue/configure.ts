/** Errors of configuring packages. Codes are stable: programs match on them. */
export const CONFIGURE = {
  SCRIPTS_NOT_UNDERSTOOD: (c: { lines: readonly string[] }) =>
    `${c.lines.length} line${c.lines.length === 1 ? '' : 's'} of maintainer scripts cannot be followed:\n  ${c.lines.join('\n  ')}`,
  SCRIPT_FAILED: (c: { package: string; script: string; status: number; line?: number; reason: string }) =>
    `${c.package}.${c.script}${c.line === undefined ? '' : `:${c.line}`}: dpkg would have left the package unconfigured, as its script ends with status ${c.status}${c.reason === '' ? '' : `: ${c.reason}`}`,
} as const;

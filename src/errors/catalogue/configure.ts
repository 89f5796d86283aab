/** Refusals of configuring packages. Codes are stable: programs match on them. */
export const CONFIGURE = {
  SCRIPTS_NOT_UNDERSTOOD: (c: { lines: readonly string[] }) =>
    `${c.lines.length} line${c.lines.length === 1 ? '' : 's'} of maintainer scripts cannot be followed:\n  ${c.lines.join('\n  ')}`,
  SCRIPT_FAILED: (c: { package: string; script: string; status: number }) =>
    `${c.package}: its ${c.script} script would have failed with status ${c.status}`,
} as const;

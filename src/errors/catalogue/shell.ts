/** Errors of `src/shell`. Codes are stable: programs match on them. */
export const SHELL = {
  SCRIPT_STEPS: (c: { script: string; limit: number }) =>
    `${c.script}: stopped after ${c.limit} steps: it does not come to an end`,
  SCRIPT_DEPTH: (c: { script: string; limit: number }) =>
    `${c.script}: stopped: commands nested or functions called more than ${c.limit} deep`,
  SCRIPT_OUTPUT: (c: { script: string; what: string; limit: number }) =>
    `${c.script}: stopped: ${c.what} grew beyond ${c.limit} bytes`,
  SCRIPT_SYNTAX: (c: { script: string; line: number; reason: string }) =>
    `${c.script}:${c.line}: this shell script cannot be parsed: ${c.reason}`,
} as const;

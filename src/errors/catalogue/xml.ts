/** Errors of XML documents. Codes are stable: programs match on them. */
export const XML = {
  XML_SYNTAX: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: no XML at byte ${c.offset}: ${c.reason}`,
} as const;

/** Refusals of the room "trust". Codes are stable: programs match on them. */
export const TRUST = {} as const;

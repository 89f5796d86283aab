/** Refusals of the room "resolver". Codes are stable: programs match on them. */
export const RESOLVER = {} as const;

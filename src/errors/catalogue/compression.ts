/** Refusals of the room "compression". Codes are stable: programs match on them. */
export const COMPRESSION = {} as const;

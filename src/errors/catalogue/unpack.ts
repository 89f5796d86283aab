/** Refusals of the room "unpack". Codes are stable: programs match on them. */
export const UNPACK = {} as const;

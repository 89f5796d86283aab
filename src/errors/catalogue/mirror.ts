/** Refusals of the room "mirror". Codes are stable: programs match on them. */
export const MIRROR = {} as const;

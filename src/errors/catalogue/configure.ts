/** Refusals of the room "configure". Codes are stable: programs match on them. */
export const CONFIGURE = {} as const;

/** Refusals of the room "guest". Codes are stable: programs match on them. */
export const GUEST = {} as const;

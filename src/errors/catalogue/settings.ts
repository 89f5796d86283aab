/** Refusals of the room "settings". Codes are stable: programs match on them. */
export const SETTINGS = {} as const;

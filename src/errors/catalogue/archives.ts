/** Refusals of the room "archives". Codes are stable: programs match on them. */
export const ARCHIVES = {} as const;

/** Refusals of the room "disk". Codes are stable: programs match on them. */
export const DISK = {} as const;

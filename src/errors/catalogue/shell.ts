/** Refusals of the room "shell". Codes are stable: programs match on them. */
export const SHELL = {} as const;

/** Refusals of the room "ext4". Codes are stable: programs match on them. */
export const EXT4 = {} as const;

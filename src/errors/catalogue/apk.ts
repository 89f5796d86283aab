/** Refusals of the room "apk". Codes are stable: programs match on them. */
export const APK = {} as const;

/** Refusals of the room "apk". Codes are stable: programs match on them. */
export const APK = {
  APK_RELATION: (c: { package: string; text: string }) => `${c.package}: "${c.text}" is no dependency`,
} as const;

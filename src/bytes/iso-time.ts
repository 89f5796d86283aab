/** The last second of the year 9999: later times have no form of ISO 8601 that is common. */
export const LAST_TIME = 253_402_300_799;

/** Unix seconds as `2026-01-31T00:00:00Z`. A time that a date cannot express, as damaged data has, is `@SECONDS`. */
export function isoTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace(/\.\d+Z$/, 'Z');
}

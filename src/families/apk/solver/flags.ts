/** Main version of the apk-tools whose decisions are copied. */
export type Generation = 2 | 3;

/** Prefer newer versions to installed ones (`--upgrade`). */
export const UPGRADE = 1;
/** Prefer the newest version even when it cannot be installed (`--latest`). */
export const LATEST = 2;
/** Prefer what a repository has (`--available`). */
export const AVAILABLE = 4;
/** Install again what is installed already. */
export const REINSTALL = 8;
/** Avoid this one: the user has just requested its removal. */
export const REMOVED = 16;

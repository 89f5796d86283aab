/** A module that Node loads first, in every thread: another day, and other random numbers. */
export const ANOTHER_DAY = `data:text/javascript,${encodeURIComponent(`
const now = Date.now, Day = Date, shift = 400 * 86400e3;
Date.now = () => now() + shift;
globalThis.Date = class extends Day {
  constructor(...given) { if (given.length === 0) super(now() + shift); else super(...given); }
};
Math.random = () => 0.25;
`)}`;

/** Operators of rich dependencies; comparisons are below 8. */
export const AND = 16;
export const OR = 17;
export const WITH = 18;
export const IF = 22;
export const ELSE = 26;
export const WITHOUT = 28;
export const UNLESS = 29;

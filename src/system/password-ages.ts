import type { Tree } from '../tree/tree.ts';
import { LoginDefs } from './login-defs.ts';

/** Least and most days between changes of a password, and days of warning: fields of shadow(5), empty where there are none. */
export type PasswordAges = readonly [least: string, most: string, warning: string];

/** What useradd and pwconv write for a new password, as login.defs says. */
export function passwordAges(tree: Tree): PasswordAges {
  const defs = new LoginDefs(tree);
  const days = (name: string): string => {
    const number = defs.number(name, -1);
    return number < 0 ? '' : String(number);
  };
  return [hasLeastAge(tree) ? days('PASS_MIN_DAYS') : '', days('PASS_MAX_DAYS'), days('PASS_WARN_AGE')];
}

/** Programs of this size are not shadow's. */
const PROGRAM_LIMIT = 4 << 20;

/** False for shadow 4.20 and later, which ignores the field: its chage has no such option, whose name is text in the program. */
function hasLeastAge(tree: Tree): boolean {
  const chage = tree.file('usr/bin/chage');
  if (chage === undefined || chage.content.size > PROGRAM_LIMIT) return true;
  const bytes = chage.content.readSync();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('mindays');
}

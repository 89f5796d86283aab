import { AccountNumbers } from '../../system/account-numbers.ts';

/** Owners by name, as rpm looks them up: root is known before there is any file of accounts. */
export class Owners extends AccountNumbers {
  override uid(name: string): number | undefined {
    return name === 'root' ? 0 : super.uid(name);
  }

  override gid(name: string): number | undefined {
    return name === 'root' ? 0 : super.gid(name);
  }
}

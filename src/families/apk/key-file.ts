import { createPublicKey } from 'node:crypto';
import { BuildError } from '../../errors/error.ts';

/** A public key of the user, from a file with the name that signatures use (`me@example.org-1234.rsa.pub`). */
export function keyOf(path: string, bytes: Uint8Array): { readonly name: string; readonly pem: string } {
  const pem = Buffer.from(bytes).toString('latin1');
  let kind: string | undefined;
  try {
    kind = createPublicKey(pem).asymmetricKeyType;
  } catch {
    // reported below
  }
  if (kind !== 'rsa') throw new BuildError('APK_FORMAT', { path, reason: 'it is not an RSA public key in PEM form' });
  return { name: path.replace(/^.*[/\\]/, ''), pem };
}

import { createPublicKey } from 'node:crypto';
import { BuildError } from '../../errors/error.ts';

/** A public key of a person's own, from a file named as signatures name it (`me@example.org-1234.rsa.pub`). */
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

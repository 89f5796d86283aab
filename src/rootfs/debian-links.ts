import type { Tree } from '../tree/tree.ts';
import { ours } from './guest.ts';

const BUNDLE = 'etc/ssl/certs/ca-certificates.crt';

/** Two links that guests of Debian's family rely on: /var/run, and where OpenSSL looks for the bundle of certificates. */
export function provideDebianLinks(tree: Tree, epoch: number): void {
  const run = tree.lstat('var/run');
  if (run?.kind !== 'symlink') {
    tree.remove('var/run');
    tree.symlink('var/run', '/run', ours({ epoch }, 0o777));
  }
  if (tree.has(BUNDLE) && tree.lstat('usr/lib/ssl/cert.pem') === undefined)
    tree.symlink('usr/lib/ssl/cert.pem', `/${BUNDLE}`, ours({ epoch }, 0o777));
}

import type { Class } from './classes.ts';

/** What packages beyond the base set get from apt and dpkg, and a guest made here is meant to be without. */
export const CLASSES: readonly Class[] = [
  {
    name: 'device nodes',
    reason: 'the few a guest may need before devtmpfs, with the modes the kernel gives them',
    paths: [/^\/dev\/.+/],
    ways: ['added', 'differs'],
  },
  { name: 'run', reason: '/run is a tmpfs', paths: [/^\/run\/.+/], ways: ['missing', 'added', 'differs'] },
  {
    name: 'host keys',
    reason:
      'never made at build time: they would be the same in every guest; sshd-keygen.service or ssh-keygen -A makes them',
    paths: [/^\/etc\/ssh\/ssh_host_\w+_key(\.pub)?$/],
  },
  {
    name: 'snakeoil certificate',
    reason: 'a key of its own for every machine: make-ssl-cert generate-default-snakeoil makes it in the guest',
    paths: [/^\/etc\/ssl\/(certs|private)\/ssl-cert-snakeoil\.(pem|key)$/, /^\/etc\/ssl\/certs\/[0-9a-f]{8}\.\d$/],
  },
  {
    name: 'database cluster',
    reason: 'has an identifier of its own; the user is warned to run pg_createcluster in the guest',
    paths: [/^\/(etc|var\/lib)\/postgresql\/\d+(\/.*)?$/, /^\/var\/log\/postgresql\/postgresql-.*\.log$/],
  },
  {
    name: 'database cluster',
    reason: 'has an identifier of its own; the user is warned to run pg_createcluster in the guest',
    paths: [/^\/etc\/apt\/apt\.conf\.d\/02autoremove-postgresql$/],
    ways: ['differs'],
  },
  {
    name: 'byte code',
    reason: 'of Python: a cache that the interpreter does without, and that names no time it was made for',
    paths: [/\/__pycache__(\/.*)?$/],
  },
  {
    name: 'runit',
    reason:
      'links for runit, which its helper makes unless starting services is forbidden, as the bootstrapper forbids it',
    paths: [/^\/etc\/runit\/runsvdir\/default\/[^/]+$/],
    ways: ['added'],
  },
];

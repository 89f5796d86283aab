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
    name: 'runit',
    reason:
      'links for runit, which its helper makes unless starting services is forbidden, as the bootstrapper forbids it',
    paths: [/^\/etc\/runit\/runsvdir\/default\/[^/]+$/],
    ways: ['added'],
  },
];

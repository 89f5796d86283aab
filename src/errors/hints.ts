import type { Code } from './catalogue.ts';

const OTHER_MIRROR = 'name another mirror with `repoUrl`';

/** Hints for errors that always have the same remedy; a hint given where the error is thrown takes precedence. */
export const HINTS: { readonly [C in Code]?: string } = {
  CACHE_INVALID: 'remove it, or name another folder as `cacheDir`',
  CACHE_SHARED:
    'take the right to write away from others (`chmod -R go-w`), name another folder as `cacheDir`, or set `verifyCache`',
  CONTAINER_INVALID: 'save the image again; `skopeo copy SOURCE oci:FOLDER` writes one that can be read',
  CONTAINER_SEVERAL:
    'name one as oci:FOLDER:TAG or oci:FOLDER@DIGEST (oci-archive: for an archive; docker-archive:FILE:NAME:TAG for what docker save wrote), or copy it out with `skopeo copy SOURCE oci:FOLDER`',
  CONNECTION_FAILED: `check the network and the proxy variables (http_proxy, https_proxy, no_proxy), or ${OTHER_MIRROR}`,
  HTTP_STATUS: `the mirror is in trouble: try again later, or ${OTHER_MIRROR}`,
  DOWNLOAD_CUT: `try again: what has come is kept, and the download goes on from there; or ${OTHER_MIRROR}`,
  DOWNLOAD_STALLED: `try again, wait longer with \`mirrorTimeout\`, or ${OTHER_MIRROR}`,
  DOWNLOAD_TOO_LONG: `this is not the file that was asked for, perhaps a login or error page in its place: ${OTHER_MIRROR}`,
  DIGEST_MISMATCH: `the mirror, or something on the way, gave other bytes than were promised, and they were thrown away: try again, or ${OTHER_MIRROR}`,
  EXT4_XATTR_SIZE: 'blocks of 4096 bytes are the largest (`blockSize`); xfs and erofs hold more attributes (`fsType`)',
  INPUT_INSIDE_OUTPUT: 'choose another output folder',
  OUTPUT_INSIDE_INPUT: 'write it outside that folder',
  OUTPUT_IS_INPUT: 'choose another output path',
  REDIRECT_REFUSED: `the mirror, or a login page before it, sends downloads elsewhere: ${OTHER_MIRROR}`,
  SELINUX_POLICY_MISSING:
    'install the policy with `extraPkgs` (selinux-policy-targeted), or lay one that is built over the rootfs with `overlay`: Debian’s is compiled when it is installed, so a file_contexts must be given',
  SIGNED_FILE_MALFORMED: `what came is no signed list, perhaps a login or error page in its place: try again, or ${OTHER_MIRROR}`,
};

/** Common names of processors, mapped to those of `uname -m`. */
const UNAME: ReadonlyMap<string, string> = new Map(
  Object.entries({
    x64: 'x86_64',
    amd64: 'x86_64',
    'x86-64': 'x86_64',
    arm64: 'aarch64',
    arm64v8: 'aarch64',
    ppc64el: 'ppc64le',
    ppc64: 'ppc64le',
  }),
);

/** The `uname -m` name of an architecture given by any common name. */
export function unameOf(arch: string): string {
  return UNAME.get(arch) ?? arch;
}

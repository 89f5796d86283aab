/**
 * Fingerprints of keys that Debian has withdrawn (debian-archive-removed-keys.pgp of debian-archive-keyring 2025.1),
 * primary keys and subkeys, with their owner's name: known, but never trusted. They only serve a clear error message.
 */
const REMOVED: Readonly<Record<string, string>> = {
  D051FE3A848DCABD4625787A6FFA8EF91DB114E0: 'Debian Archive Automatic Signing Key (2004) <ftpmaster@debian.org>',
  '4C7A8E5E9454FE3FAE1E78ADF1D53D8C4F368D5D': 'Debian Archive Automatic Signing Key (2005) <ftpmaster@debian.org>',
  C20CA1D9499DECBBD8BDACF9E415B2B4B5F5BBED: 'Debian AMD64 Archive Key <debian-amd64@lists.debian.org>',
  '4E6CBA363A3A3708DC533C75B7A50B4134FC6FE5': 'Debian AMD64 Archive Key <debian-amd64@lists.debian.org>',
  '084750FC01A6D388A643D869010908312D230C5F': 'Debian Archive Automatic Signing Key (2006) <ftpmaster@debian.org>',
  A99951DAF9BB569BDB50AD90A70DAF536070D3A1: 'Debian Archive Automatic Signing Key (4.0/etch) <ftpmaster@debian.org>',
  '7EA391D72477203B58C04FBCB5D0C804ADB11277': 'Etch Stable Release Key <debian-release@lists.debian.org>',
  '6039406A4EDCE124CF087B0AEC61E0B0BBE55AB3': 'Debian-Volatile Archive Automatic Signing Key (4.0/etch)',
  '0F8A1F54CB8BF69B34DB847F0A3B614236CA98F3': 'Debian-Volatile Archive Automatic Signing Key (4.0/etch)',
  '150C8614919D8446E01E83AF9AA38DCD55BE302B': 'Debian Archive Automatic Signing Key (5.0/lenny) <ftpmaster@debian.org>',
  '7F5A44454C724A65CBCD4FB14D270D06F42584E6': 'Lenny Stable Release Key <debian-release@lists.debian.org>',
  F6CFDE3061333CE2A43FDAF0DFD993306D849617: 'Debian-Volatile Archive Automatic Signing Key (5.0/lenny)',
  '0E4EDE2C7F3E1FC0D033800E64481591B98321F9': 'Squeeze Stable Release Key <debian-release@lists.debian.org>',
  '9FED2BCBDCD29CDF762678CBAED4B06F473041FA':
    'Debian Archive Automatic Signing Key (6.0/squeeze) <ftpmaster@debian.org>',
  A1BD8E9D78F7FE5C3E65D8AF8B48AD6246925553: 'Debian Archive Automatic Signing Key (7.0/wheezy) <ftpmaster@debian.org>',
  ED6D65271AACF0FF15D123036FB2A1C265FFB764: 'Wheezy Stable Release Key <debian-release@lists.debian.org>',
  '75DDC3C4A499F1A18CB5F3C8CBF8D6FD518E17E1': 'Jessie Stable Release Key <debian-release@lists.debian.org>',
  '126C0D24BD8A2942CC7DF8AC7638D0442B90D010': 'Debian Archive Automatic Signing Key (8/jessie) <ftpmaster@debian.org>',
  D21169141CECD440F2EB8DDA9D6D8F6BC857C906:
    'Debian Security Archive Automatic Signing Key (8/jessie) <ftpmaster@debian.org>',
  '067E3C456BAE240ACEE88F6FEF0F382A1A7B6500': 'Debian Stable Release Key (9/stretch) <debian-release@lists.debian.org>',
  E1CF20DDFFE4B89E802658F1E0B11894F66AEC98: 'Debian Archive Automatic Signing Key (9/stretch) <ftpmaster@debian.org>',
  '16E90B3FDF65EDE3AA7F323C04EE7237B7D453EC': 'Debian Archive Automatic Signing Key (9/stretch) <ftpmaster@debian.org>',
  '6ED6F5CB5FA6FB2F460AE88EEDA0D2388AE22BA9':
    'Debian Security Archive Automatic Signing Key (9/stretch) <ftpmaster@debian.org>',
  '379483D8B60160B155B372DDAA8E81B4331F7F50':
    'Debian Security Archive Automatic Signing Key (9/stretch) <ftpmaster@debian.org>',
  '6D33866EDD8FFA41C0143AEDDCC9EFBF77E11517': 'Debian Stable Release Key (10/buster) <debian-release@lists.debian.org>',
  '80D15823B7FD1561F9F7BCDDDC30D7C23CBBABEE': 'Debian Archive Automatic Signing Key (10/buster) <ftpmaster@debian.org>',
  '0146DC6D4A0B2914BDED34DB648ACFD622F3D138': 'Debian Archive Automatic Signing Key (10/buster) <ftpmaster@debian.org>',
  '5E61B217265DA9807A23C5FF4DFAB270CAA96DFA':
    'Debian Security Archive Automatic Signing Key (10/buster) <ftpmaster@debian.org>',
  '5237CEEEF212F3D51C74ABE0112695A0E562B32A':
    'Debian Security Archive Automatic Signing Key (10/buster) <ftpmaster@debian.org>',
};

/** The name of a withdrawn key, by fingerprint or 64-bit key id in upper-case hex; undefined for any other key. */
export function removedKey(id: string): string | undefined {
  const found = Object.keys(REMOVED).find((fingerprint) => fingerprint.endsWith(id));
  return found === undefined || id.length < 16 ? undefined : REMOVED[found];
}

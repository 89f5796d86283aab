/** The keys of a section of a .repo file, and of the options in brackets before a URL, and what each one does. */

/** Keys that act. */
const ACTING: ReadonlySet<string> = new Set([
  ...['name', 'enabled', 'baseurl', 'metalink', 'mirrorlist', 'gpgkey', 'gpgcheck', 'pkg_gpgcheck', 'repo_gpgcheck'],
  ...['excludepkgs', 'exclude', 'includepkgs', 'priority', 'cost', 'module_hotfixes'],
]);

/** Keys of dnf's caches, lists and statistics: no package is another one by them, whatever they say. */
const HOUSEKEEPING: ReadonlySet<string> = new Set([
  ...[
    'type',
    'mediaid',
    'metadata_expire',
    'metadata_timer_sync',
    'mirror_expire',
    'autorefresh',
    'keepcache',
    'cachedir',
  ],
  ...['countme', 'fastestmirror', 'failovermethod', 'deltarpm', 'deltarpm_percentage', 'zchunk', 'enabled_metadata'],
  ...['ui_repoid_vars', 'ip_resolve', 'max_parallel_downloads'],
]);

const PROXY = 'the proxy is that of the environment (https_proxy, http_proxy, no_proxy)';
const ACCOUNT = 'give name and password in the URL of the repository';
const CLIENT = 'certificates of clients are not supported: mirror the repository into a folder';

/** Keys that do not act here, and where what they ask for is said instead. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map<string, string>([
  ...['proxy', 'proxy_username', 'proxy_password', 'proxy_auth_method'].map((key) => [key, PROXY] as const),
  ...['username', 'password'].map((key) => [key, ACCOUNT] as const),
  ...['sslclientcert', 'sslclientkey'].map((key) => [key, CLIENT] as const),
  ['sslcacert', 'name the file with further certificates in the environment (NODE_EXTRA_CA_CERTS)'],
  ['include', 'name the other file with a further `repo`'],
]);

/** Values of `proxy` that ask for none. */
const NO_PROXY = /^(_none_|none|)$/;

const PACE = 'downloads have their own pace here: what stalls or breaks off is tried again, and then another mirror';
const OWN = 'it is a setting of dnf, not of a repository';

/** The value that asks for something (any where there is none), and why nothing comes of it. */
type Unused = readonly [asks: boolean | undefined, reason: string];

/** Keys that have no effect. */
const UNUSED: ReadonlyMap<string, Unused> = new Map<string, Unused>([
  [
    'skip_if_unavailable',
    [true, 'without this repository it would be another guest, so it is an error when it cannot be reached'],
  ],
  ['sslverify', [false, 'certificates of servers are always checked']],
  ['sslverifystatus', [true, 'whether a certificate was revoked is not asked for']],
  ['enablegroups', [false, 'groups are read only where a request names one']],
  ...['timeout', 'retries', 'minrate', 'throttle', 'bandwidth', 'user_agent'].map(
    (key) => [key, [undefined, PACE]] as const,
  ),
  ...['best', 'strict', 'gpgkey_dns_verification'].map((key) => [key, [undefined, OWN]] as const),
]);

/** What a key of a section does with a value. */
export type KeyUse =
  | { readonly kind: 'acts' }
  | { readonly kind: 'unused'; readonly reason: string }
  | { readonly kind: 'wrong'; readonly reason: string };

const ACTS: KeyUse = { kind: 'acts' };

/** Says what a key of a section does: it acts (or is about dnf's own housekeeping), has no effect, or is wrong. */
export function keyUse(key: string, value: string): KeyUse {
  const instead = ELSEWHERE.get(key);
  if (instead !== undefined) {
    if (key.startsWith('proxy') && NO_PROXY.test(value)) return ACTS;
    return { kind: 'wrong', reason: `the key "${key}" does not act here: ${instead}` };
  }
  const unused = UNUSED.get(key);
  if (unused !== undefined) {
    const [asks, reason] = unused;
    const said = booleanOf(value);
    if (asks !== undefined && said === undefined)
      return { kind: 'wrong', reason: `${key}=${value} is neither yes nor no` };
    return asks === undefined || said === asks ? { kind: 'unused', reason } : ACTS;
  }
  if (ACTING.has(key) || HOUSEKEEPING.has(key)) return ACTS;
  return { kind: 'wrong', reason: `the key "${key}" is unknown` };
}

/** A boolean as dnf reads it; undefined for a text that is none. */
export function booleanOf(text: string): boolean | undefined {
  if (/^(1|yes|true|on)$/i.test(text.trim())) return true;
  return /^(0|no|false|off)$/i.test(text.trim()) ? false : undefined;
}

import { BlockList, isIP, isIPv4 } from 'node:net';

/** Which proxies to use: the values of http_proxy, https_proxy and no_proxy, provided by the caller. */
export interface ProxyOptions {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Hosts to reach directly: names, `.domain`, `host:port`, addresses, `10.0.0.0/8`, `*`; separated by commas or blanks. */
  readonly none?: string | undefined;
  /** Where `http` and `https` come from, for messages: names of environment variables. */
  readonly variables?: { readonly http?: string | undefined; readonly https?: string | undefined };
}

/** The proxies that an environment names; the lower-case variables go first, also when they are empty. */
export function proxiesOf(environment: Readonly<Record<string, string | undefined>>): ProxyOptions {
  const named = (name: string) => [name, name.toUpperCase()].find((one) => environment[one] !== undefined);
  const [http, https, none] = [named('http_proxy'), named('https_proxy'), named('no_proxy')];
  return {
    http: environment[http ?? ''],
    https: environment[https ?? ''],
    none: environment[none ?? ''],
    variables: { http, https },
  };
}

/** The variable that names the proxy for a URL, where it is known. */
export function proxyVariable(url: URL, { variables }: ProxyOptions): string | undefined {
  return url.protocol === 'https:' ? variables?.https : variables?.http;
}

/** The proxy for a URL, or undefined to go there directly. */
export function proxyFor(url: URL, options: ProxyOptions): string | undefined {
  const proxy = url.protocol === 'https:' ? options.https : options.http;
  if (proxy === undefined || proxy === '' || isExcluded(url, options.none ?? '')) return undefined;
  return SCHEME.test(proxy) ? proxy : `http://${proxy}`;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  for (const entry of list.toLowerCase().split(/[\s,]+/)) {
    if (entry === '') continue;
    if (entry === '*') return true;
    const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry);
    // a bare IPv6 address has colons of its own
    const name = (match?.[1] ?? entry).replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
    if (match?.[2] !== undefined && match[2] !== port) continue;
    if (name.includes('/')) {
      if (isInNetwork(host, name)) return true;
    } else if (host === name || (isIP(host) === 0 && host.endsWith(`.${name}`))) return true;
  }
  return false;
}

function isInNetwork(host: string, network: string): boolean {
  const [address, bits] = network.split('/') as [string, string];
  if (isIP(host) === 0 || isIP(address) !== isIP(host) || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (isIPv4(address) ? 32 : 128)) return false;
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}

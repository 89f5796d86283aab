import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';

const INWARD = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  INWARD.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  INWARD.addSubnet(network, bits, 'ipv6');

/**
 * True for a host that is this machine or in its own network, by its name alone: loopback, link-local, private and shared
 * addresses (RFC 1122, 1918, 3927, 4193, 4291, 6598), and `localhost`. `host` is as URLs write it, brackets included.
 */
export function isInward(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  const family = isIP(name);
  if (family === 0) return /(?:^|\.)localhost\.?$/.test(name);
  return INWARD.check(name, isIPv4(name) ? 'ipv4' : 'ipv6');
}

/** What {@link Addresses.guarded} fails with. */
export class InwardAddress extends Error {
  override readonly name = 'InwardAddress';
}

/** Looks up hosts for connections and remembers which of them are inward; so the answer that was checked is the one used. */
export class Addresses {
  private readonly found = new Map<string, boolean>();
  private readonly resolve: LookupFunction;

  constructor(resolve: LookupFunction = systemLookup) {
    this.resolve = resolve;
  }

  /** True when `host` is inward by its name, or by the addresses that an earlier connection got for it. */
  isInward(host: string): boolean {
    return isInward(host) || (this.found.get(host.toLowerCase()) ?? false);
  }

  /** For connections to hosts that the user named. */
  readonly plain: LookupFunction = (host, options, done) =>
    this.resolve(host, options, (error, address, family) => {
      if (error === null) this.found.set(host.toLowerCase(), inwardAmong(address));
      done(error, address, family);
    });

  /** For connections to hosts that a public server named: inward addresses are an {@link InwardAddress} error. */
  readonly guarded: LookupFunction = (host, options, done) =>
    this.resolve(host, options, (error, address, family) => {
      if (error === null && inwardAmong(address)) done(new InwardAddress(host), '', 0);
      else done(error, address, family);
    });
}

function inwardAmong(address: string | LookupAddress[]): boolean {
  return typeof address === 'string' ? isInward(address) : address.some((one) => isInward(one.address));
}

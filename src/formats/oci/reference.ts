import { BuildError } from '../../errors/error.ts';

/** What a reference names: something in a registry, or in a layout of the build host. */
export type Reference = RegistryReference | LayoutReference;

/** `oci://HOST[:PORT]/NAME[:TAG][@DIGEST]`. */
export interface RegistryReference {
  readonly kind: 'registry';
  /** As it was written. */
  readonly text: string;
  /** Host, and port where one is given: `registry.example.org:5000`. */
  readonly registry: string;
  /** The repository below it. */
  readonly name: string;
  /** `latest` where neither a tag nor a digest is given. */
  readonly tag?: string;
  /** `sha256:HEX`; it decides, whatever the tag. */
  readonly digest?: string;
}

/**
 * `oci:DIR[:TAG]` for a layout, `oci-archive:FILE[:TAG]` for its tar, `docker-archive:FILE[:NAME[:TAG]]` for what docker save
 * writes: the tag is then the whole name of the image.
 */
export interface LayoutReference {
  readonly kind: 'oci' | 'oci-archive' | 'docker-archive';
  /** As it was written. */
  readonly text: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
/** A digest of the only algorithm that this program takes. */
export const DIGEST = /^sha256:([0-9a-f]{64})$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const SCHEME = /^(oci|docker|oci-archive|docker-archive):/;

/** True for text that is a reference rather than a path of the build host. */
export function isReference(text: string): boolean {
  return SCHEME.test(text);
}

/** True for a reference to something in a registry. */
export function isRemote(text: string): boolean {
  return /^(?:oci|docker):\/\//.test(text);
}

/**
 * Reads a reference. `docker://` is `oci://` with Docker Hub as registry where none is named. Throws
 * `REFERENCE_INVALID`, without what may be a password in it.
 *
 * @example
 * ```ts
 * import { referenceOf } from 'osbuilder';
 *
 * const found = referenceOf('oci://registry.example.org:5000/guests/kata:1.0');
 * console.log(found.kind === 'registry' && found.name, found.tag); // prints: guests/kata 1.0
 * ```
 */
export function referenceOf(text: string): Reference {
  const scheme = SCHEME.exec(text)?.[1];
  const shown = text.replace(/^([a-z]+:\/\/).*@(?!sha256:)/s, '$1');
  const invalid = (reason: string) => new BuildError('REFERENCE_INVALID', { reference: shown, reason });
  if (scheme === undefined) throw invalid('expected oci://HOST/NAME[:TAG][@sha256:…], oci:DIR or oci-archive:FILE');
  if (text.length > 4096 || text.includes('\0')) throw invalid('it is too long, or has a NUL byte');
  return isRemote(text) ? remote(text, shown, scheme, invalid) : local(text, scheme, invalid);
}

function local(text: string, scheme: string, invalid: (reason: string) => Error): LayoutReference {
  let path = text.slice(scheme.length + 1);
  if (scheme === 'docker') throw invalid('expected docker://HOST/NAME');
  const kind = scheme as LayoutReference['kind'];
  if (kind === 'docker-archive') {
    if (/@sha256:/.test(path)) throw invalid('docker save keeps no digest of a manifest that could be compared');
    // as skopeo reads it: the path ends at the first colon
    const colon = path.indexOf(':');
    const tag = colon < 0 ? undefined : path.slice(colon + 1);
    if (colon === 0 || path === '') throw invalid('it names no path');
    if (tag === '') throw invalid('it names no image behind the colon');
    return { kind, text, path: colon < 0 ? path : path.slice(0, colon), ...(tag === undefined ? {} : { tag }) };
  }
  const end = endOf(path, invalid);
  path = end.rest;
  if (path === '') throw invalid('it names no path');
  return { kind, text, path, ...end.names };
}

function remote(text: string, shown: string, scheme: string, invalid: (reason: string) => Error): RegistryReference {
  if (shown !== text)
    throw invalid('it has a user or password; those come from files of credentials or the environment');
  let rest = text.slice(scheme.length + 3);
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  if (scheme === 'docker' && !/[.:]|^localhost$/.test(first)) rest = `docker.io/${slash < 0 ? 'library/' : ''}${rest}`;
  const at = rest.indexOf('/');
  if (at < 0) throw invalid('it names no repository: expected HOST/NAME');
  const registry = rest.slice(0, at).toLowerCase();
  if (!HOST.test(registry) || Number(/:(\d+)$/.exec(registry)?.[1] ?? 1) > 65535)
    throw invalid(`"${registry}" is no host`);
  const end = endOf(rest.slice(at + 1), invalid);
  if (!NAME.test(end.rest) || end.rest.length > 255)
    throw invalid(`"${end.rest}" is no name of a repository (lower-case letters, digits, and . _ - between them)`);
  const names = Object.keys(end.names).length === 0 ? { tag: 'latest' } : end.names;
  return { kind: 'registry', text, registry, name: end.rest, ...names };
}

/** The tag and the digest at the end of a reference. */
function endOf(
  text: string,
  invalid: (reason: string) => Error,
): { readonly rest: string; readonly names: { readonly tag?: string; readonly digest?: string } } {
  let rest = text;
  let digest: string | undefined;
  const at = rest.lastIndexOf('@');
  if (at >= 0 && /^[a-z0-9+._-]+:/i.test(rest.slice(at + 1))) {
    digest = rest.slice(at + 1);
    if (!DIGEST.test(digest)) throw invalid('its digest is not sha256: and 64 hexadecimal digits in lower case');
    rest = rest.slice(0, at);
  }
  const colon = rest.lastIndexOf(':');
  let tag: string | undefined;
  if (colon > rest.lastIndexOf('/') && colon >= 0) {
    tag = rest.slice(colon + 1);
    if (!TAG.test(tag)) throw invalid(`"${tag}" is no tag`);
    rest = rest.slice(0, colon);
  }
  return { rest, names: { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) } };
}

/** The reference of one manifest in a repository, as people write it. */
export function shownReference({ registry, name, tag, digest }: Omit<RegistryReference, 'kind' | 'text'>): string {
  return `oci://${registry}/${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

import type { FileContent } from '../../../bytes/content.ts';
import { latin1 } from '../../../bytes/struct.ts';
import { isStore, storedObjects } from '../../../formats/p11-kit/store.ts';
import {
  certificatesOf,
  extensionOf,
  extensionValue,
  isAuthority,
  publicKeyOf,
  purposesIn,
  subjectName,
} from '../../../formats/x509/certificate.ts';
import type { Call, Command, Options } from '../../../shell/command.ts';
import { type GuestWorld, withOptions } from '../../../system/commands/binding.ts';
import { spendFile } from '../../../system/commands/counted.ts';
import { fromText } from '../../../tree/path.ts';
import type { Tree } from '../../../tree/tree.ts';

/** Where p11-kit of these distributions looks, unless the configuration of its module says otherwise. */
const STORES = ['/etc/pki/ca-trust/source', '/usr/share/pki/ca-trust-source'];
const MODULE = 'usr/share/p11-kit/modules/p11-kit-trust.module';
const EXTENDED_KEY_USAGE = '2.5.29.37';

/** Purposes as `trust` names them (RFC 5280, 4.2.1.12). */
const PURPOSES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'server-auth': '1.3.6.1.5.5.7.3.1',
    'client-auth': '1.3.6.1.5.5.7.3.2',
    'code-signing': '1.3.6.1.5.5.7.3.3',
    email: '1.3.6.1.5.5.7.3.4',
    'ipsec-end-system': '1.3.6.1.5.5.7.3.5',
    'ipsec-tunnel': '1.3.6.1.5.5.7.3.6',
    'ipsec-user': '1.3.6.1.5.5.7.3.7',
    'time-stamping': '1.3.6.1.5.5.7.3.8',
  }),
);

/** A certificate of a store. */
interface Stored {
  readonly certificate: Uint8Array;
  readonly label: string;
  readonly anchor: boolean;
  /** Extensions that a store gives to everything with the certificate's key. */
  readonly purposes: readonly string[] | undefined;
}

/**
 * `trust extract` of p11-kit: writes the certificates of the guest's trust stores in another form. Of the forms that
 * distributions make, the bundles in PEM are written; those for Java and firmware are reported as left out.
 */
export function trust(world: GuestWorld): Command {
  const LONG = 'format= filter= purpose= overwrite comment verbose quiet';
  return withOptions('vq', LONG, (call, given) => {
    const [verb, target] = given.operands;
    const format = given.last('format');
    if (verb !== 'extract' || target === undefined) return call.shell.unknown(`${call.name} ${verb ?? ''}`);
    if (format !== 'pem-bundle') {
      world.leaveOut(`trust extract --format=${format}`, 'programs of a guest read the bundles in PEM');
      return 0;
    }
    return extractBundle(call, given, world.tree, target);
  });
}

function extractBundle(call: Call, given: Options, tree: Tree, target: string): number {
  const filter = given.last('filter') ?? 'ca-anchors';
  if (!/^(ca-anchors|trust-policy|certificates)$/.test(filter))
    return call.shell.unknown(`${call.name} --filter=${filter}`);
  const wanted = (given.values.get('purpose') ?? []).map((name) => PURPOSES.get(name) ?? name);
  if (call.files.find(target) !== undefined && !given.has('overwrite'))
    return call.fail(`couldn't complete writing of file: ${target}: File exists`);
  let text = '';
  for (const { certificate, label, anchor, purposes } of stored(call, tree)) {
    if (filter !== 'certificates' && !(anchor && isAuthority(certificate))) continue;
    if (wanted.length > 0 && purposes !== undefined && !purposes.some((one) => wanted.includes(one))) continue;
    if (given.has('comment') && label !== '') text += `${text === '' ? '' : '\n'}# ${label}\n`;
    const base64 = Buffer.from(certificate)
      .toString('base64')
      .replace(/.{64}(?=.)/g, '$&\n');
    text += `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  }
  call.files.write(target, text, 0o444);
  return 0;
}

/** Certificates of all stores that are not distrusted. */
function stored(call: Call, tree: Tree): Stored[] {
  const files = storeFiles(call, tree);
  const known = last.get(tree);
  // scripts extract several bundles one after the other, and again at the end
  if (known !== undefined && known.files.length === files.length)
    if (known.files.every((one, i) => one.path === files[i]!.path && one.content === files[i]!.content))
      return known.certificates;
  const certificates = readStores(files);
  last.set(tree, { files, certificates });
  return certificates;
}

/** What was found in a tree's stores the last time. */
const last = new WeakMap<Tree, { readonly files: readonly StoreFile[]; readonly certificates: Stored[] }>();

/** A file of a store. */
interface StoreFile {
  readonly folder: string;
  readonly path: string;
  readonly content: FileContent;
  /** What its place says of the certificates in it. */
  readonly trusted: 'neutral' | 'anchor' | 'distrusted';
}

/** Files of all stores, in p11-kit's order: of the first folder first. */
function storeFiles(call: Call, tree: Tree): StoreFile[] {
  const files: StoreFile[] = [];
  for (const folder of storeFolders(tree))
    for (const [place, trusted] of [
      ['', 'neutral'],
      ['/anchors', 'anchor'],
      ['/blocklist', 'distrusted'],
      ['/blacklist', 'distrusted'],
    ] as const)
      for (const name of tree.list(`${folder}${place}`.slice(1))) {
        const path = `${folder}${place}/${name}`.slice(1);
        spendFile(call, tree, path);
        const file = tree.file(path);
        if (file !== undefined) files.push({ folder, path, content: file.content, trusted });
      }
  return files;
}

/** Certificates of these files that are not distrusted. */
function readStores(files: readonly StoreFile[]): Stored[] {
  const found: (Omit<Stored, 'purposes'> & { readonly folder: string })[] = [];
  const distrusted = new Set<string>();
  const seen = new Set<string>();
  const extensions = new Map<string, Uint8Array>();
  const keyOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const add = (folder: string, certificate: Uint8Array, label: string | undefined, trusted: string) => {
    if (trusted === 'distrusted') distrusted.add(keyOf(certificate));
    // one that is in a store twice counts once
    const key = `${folder}\0${keyOf(certificate)}`;
    if (seen.has(key)) return;
    seen.add(key);
    const name = label ?? fromText(subjectName(certificate) ?? '');
    found.push({ folder, certificate, label: name, anchor: trusted === 'anchor' });
  };
  for (const { folder, content, trusted } of files) {
    const text = latin1(content.readSync());
    if (!isStore(text)) for (const one of certificatesOf(text)) add(folder, one, undefined, trusted);
    else
      for (const { attributes, blocks } of storedObjects(text)) {
        const certificate = blocks.get('CERTIFICATE');
        const key = blocks.get('PUBLIC KEY');
        const own = attributes.get('trusted') === 'true' ? 'anchor' : trusted;
        const state = attributes.get('x-distrusted') === 'true' ? 'distrusted' : own;
        if (certificate !== undefined) add(folder, certificate, attributes.get('label'), state);
        else if (key !== undefined && attributes.get('class') === 'x-certificate-extension')
          if (attributes.get('object-id') === EXTENDED_KEY_USAGE)
            extensions.set(keyOf(key), Buffer.from(attributes.get('value') ?? '', 'latin1'));
      }
  }
  return found
    .filter(({ certificate }) => !distrusted.has(keyOf(certificate)))
    .map(({ certificate, label, anchor }) => {
      const key = publicKeyOf(certificate);
      const given = key === undefined ? undefined : extensions.get(keyOf(key));
      const value =
        given === undefined ? extensionOf(certificate, EXTENDED_KEY_USAGE) : extensionValue(given, EXTENDED_KEY_USAGE);
      return { certificate, label, anchor, purposes: value === undefined ? undefined : purposesIn(value) };
    });
}

function storeFolders(tree: Tree): readonly string[] {
  const paths = /^x-init-reserved:.*\bpaths=(?:"([^"]*)"|'([^']*)'|(\S+))/m.exec(tree.text(MODULE) ?? '');
  const list = paths?.[1] ?? paths?.[2] ?? paths?.[3];
  return list === undefined ? STORES : list.split(':').filter((path) => path.startsWith('/'));
}

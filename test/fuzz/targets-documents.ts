/** Fuzz targets for what people and programs write as text: locks, lists, configuration, statements. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { moduleFrom } from '../../src/dracut/module.ts';
import { readOptions } from '../../src/dracut/options.ts';
import { BuildError } from '../../src/errors/error.ts';
import { licensesOf } from '../../src/families/apt/copyright.ts';
import { filledTemplate } from '../../src/families/rpm/commands/authselect-template.ts';
import { seal } from '../../src/formats/dsse/envelope.ts';
import { parseAuthFile, parseChallenges } from '../../src/formats/oci/credentials.ts';
import { chosenManifest, parseManifest } from '../../src/formats/oci/manifest.ts';
import { isReference, referenceOf } from '../../src/formats/oci/reference.ts';
import { isStore, storedObjects } from '../../src/formats/p11-kit/store.ts';
import { parseContexts, parseSubstitutions } from '../../src/formats/selinux/contexts.ts';
import { parseRoot } from '../../src/formats/verity/parameters.ts';
import { readSignature } from '../../src/formats/verity/signature.ts';
import { LOCK_FORMAT, type Lock, lockText, parseLock } from '../../src/lock/lock.ts';
import { lockChanges } from '../../src/proof/lock-changes.ts';
import { verifySigned } from '../../src/proof/provenance.ts';
import { keepList } from '../../src/rootfs/chisel/list.ts';
import { depmodConfig } from '../../src/system/kmod/config.ts';
import { Tree } from '../../src/tree/tree.ts';
import { type FuzzTarget, latin, text } from './tool.ts';

const ZERO = '0'.repeat(64);

/** A key made for these inputs alone. */
const KEY = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${'01'.repeat(32)}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
});
const PUBLIC = createPublicKey(KEY);

/** The value of a JSON text; one that is none is no business of the reader behind it. */
function json(input: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(input).toString('utf8'));
  } catch (cause) {
    throw new BuildError('LOCK_INVALID', { path: 'fuzz', reason: 'it is not JSON' }, { cause });
  }
}

/** Runs each reader, also when one before rejects the input. */
function each(...readers: readonly (() => unknown)[]): void {
  for (const read of readers)
    try {
      read();
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
    }
}

const LOCK: Lock = {
  format: LOCK_FORMAT,
  tool: { name: 'osbuilder', version: '0.1.0' },
  ...{ distribution: 'debian', release: 'trixie', architecture: 'x86_64', family: 'apt', init: 'systemd' as const },
  epoch: 1_700_000_000,
  settings: { 'repo-components': ['main'], trim: false, 'max-package-size': 5 },
  repositories: [
    {
      ...{ name: 'main', urls: ['http://a.example/debian'], suite: 'trixie', components: ['main'] },
      metadata: { date: 1_700_000_000, sha256: ZERO, signedBy: ['A'.repeat(40)] },
    },
  ],
  packages: [
    {
      ...{ name: 'a', version: '1', architecture: 'amd64', size: 5, sha256: ZERO, path: 'pool/a_1_amd64.deb' },
      ...{ repository: 0, reason: 'asked for' },
    },
  ],
  inputs: [{ setting: 'agent', name: 'agent', sha256: ZERO, kind: 'file' as const }],
  outputs: [{ kind: 'image' as const, name: 'k.img', size: 5, sha256: ZERO, rootHash: '0'.repeat(64) }],
};

export const DOCUMENT_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  lock: {
    seeds: () => [Buffer.from(lockText(LOCK))],
    run: (input) => {
      const lock = parseLock(Buffer.from(input).toString('utf8'), 'fuzz');
      lockChanges(lock, LOCK);
      parseLock(lockText(lock), 'again');
    },
  },
  'dracut-conf': {
    seeds: () => [
      text(
        '# comment',
        'hostonly="no"',
        "add_dracutmodules+=' systemd udev-rules '",
        'drivers+=" virtio_blk $kernel "',
        'install_items+=" /etc/hosts "',
        'compress=zstd',
      ),
      text('--add "systemd" --omit-drivers \'a b\' -I /etc/x --kver 6.1 --no-compress --force-drivers=x'),
    ],
    run: (input) => {
      const [first] = latin(input).split('\n');
      const source = { path: 'fuzz.conf', name: 'fuzz.conf', text: latin(input) };
      each(
        () => readOptions(source, [[source]], '', new Map([['kernel', '6.1']]), () => {}),
        () => readOptions(undefined, [], first!, new Map(), () => {}),
      );
    },
  },
  'dracut-module': {
    seeds: () => [
      text('{"name": "mine", "order": 50, "depends": ["systemd"], "needs": ["/bin/x"], "firstOf": [{"program": "a"}]}'),
    ],
    run: (input) => moduleFrom(json(input), 'fuzz'),
  },
  'keep-list': {
    seeds: () => [
      text(
        '{"keep": ["/bin/sh", "package:x", "a.service"], "optional": ["/x*"], "drop": ["/usr/share/**"], "dirs": ["/run"],',
        ' "links": {"/a": "b"}, "files": {"/etc/x": "y"}, "config": true, "licences": false,',
        ' "from-json": [{"file": "l.json", "type": ["a"], "category": ["b"], "not": ["c"]}]}',
      ),
      text(
        '{"files": [{"name": "libx.so.1", "type": "a", "category": ["b"]}, {"name": "y", "is_32bit_compat": true}]}',
      ),
    ],
    run: (input) => {
      const value = json(input);
      const lists = new Map([['l.json', value]]);
      const from = { 'from-json': [{ file: 'l.json', type: ['a'] }] };
      each(
        () => keepList([{ path: 'fuzz', value, lists: new Map([['l.json', []]]) }]),
        () => keepList([{ path: 'fuzz', value: from, lists }]),
      );
    },
  },
  copyright: {
    seeds: () => [
      text(
        'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
        '',
        'Files: *',
        'Copyright: A',
        'License: GPL-2+ with OpenSSL exception and (MIT or BSD-3-clause)',
        ' text',
        '',
        'License: MIT',
        ' Permission is hereby granted, free of charge',
      ),
      text('This is free software; see /usr/share/common-licenses/GPL-2 and the Apache License, Version 2.0'),
    ],
    run: (input) => licensesOf(latin(input)),
  },
  statement: {
    seeds: () => {
      const statement = {
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ name: 'k.img', digest: { sha256: ZERO } }],
        predicateType: 'https://slsa.dev/provenance/v1',
        predicate: { buildDefinition: {} },
      };
      const type = 'application/vnd.in-toto+json';
      return [Buffer.from(JSON.stringify(seal(type, Buffer.from(JSON.stringify(statement)), KEY, 'k')))];
    },
    // what is signed with our key may be anything as well
    run: (input) => {
      const sealed = seal('application/vnd.in-toto+json', Buffer.from(input), KEY, 'k');
      each(
        () => verifySigned(latin(input), PUBLIC, 'fuzz'),
        () => verifySigned(JSON.stringify(sealed), PUBLIC, 'fuzz'),
      );
    },
  },
  'file-contexts': {
    seeds: () => [
      text(
        '# comment',
        '/usr/(.*/)?bin(/.*)?\tsystem_u:object_r:bin_t:s0',
        '/dev/[^/]*  -c  system_u:object_r:device_t:s0:c0.c255',
        '/proc\t<<none>>',
      ),
      text('/run /var/run', '/lib64 /usr/lib'),
    ],
    run: (input) =>
      each(
        () => parseContexts(latin(input), 'fuzz'),
        () => parseSubstitutions(latin(input), 'fuzz'),
      ),
  },
  'root-hash': {
    seeds: () => [
      text(ZERO),
      text(`root_hash=${ZERO},salt=${ZERO},data_blocks=10,data_block_size=4096,hash_block_size=4096`),
    ],
    run: (input) => parseRoot(latin(input)),
  },
  'verity-signature': {
    seeds: () => [Buffer.from(`{"rootHash":"${ZERO}","certificateFingerprint":"${ZERO}","signature":"MIIB"}\0\0`)],
    run: (input) => readSignature(input),
  },
  'depmod-conf': {
    seeds: () => [
      text(
        'search updates built-in external',
        'override a 6.* weak-updates',
        'external * /opt/x',
        'exclude build',
        'x \\',
        ' y',
      ),
    ],
    run: (input) => {
      const tree = new Tree();
      tree.writeFile('etc/depmod.d/fuzz.conf', input);
      depmodConfig(tree, '6.1', () => {});
    },
  },
  'oci-manifest': {
    seeds: () => [
      text(
        `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:${ZERO}","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:${ZERO}","size":5,"annotations":{"a":"b"}}]}`,
      ),
      text(
        `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:${ZERO}","size":5,"platform":{"os":"linux","architecture":"amd64"}}]}`,
      ),
    ],
    run: (input) => {
      const found = parseManifest(input, 'fuzz');
      if (found.kind === 'index') chosenManifest(found, 'x86_64', 'fuzz');
    },
  },
  'oci-credentials': {
    seeds: () => [
      text('{"auths": {"https://index.docker.io/v1/": {"auth": "YTpi"}, "a.example": {"identitytoken": "x"}}}'),
      text('Bearer realm="https://a.example/token",service="a.example",scope="repository:x:pull", Basic realm="x"'),
      text(`docker://a.example:5000/b/c:tag@sha256:${ZERO}`),
    ],
    run: (input) => {
      const line = latin(input).trim();
      parseChallenges(line);
      each(
        () => parseAuthFile(input, 'fuzz'),
        () => isReference(line) && referenceOf(line),
      );
    },
  },
  'authselect-template': {
    seeds: () => [
      text(
        'auth required pam_faillock.so preauth {include if "on"}',
        'auth sufficient pam_unix.so {if not "off" and ("on" or "more"):nullok|try_first_pass}',
        '{imply "more" if "on"}',
        '{continue if "more"}{exclude if "off"}',
        '{stop if "never"}',
      ),
    ],
    run: (input) => void filledTemplate(latin(input), ['on', 'more']),
  },
  'p11-kit': {
    seeds: () => [
      text(
        '[p11-kit-object-v1]',
        'label: "A"',
        'trusted: true',
        '-----BEGIN CERTIFICATE-----',
        'MIIB',
        '-----END CERTIFICATE-----',
      ),
    ],
    run: (input) => (isStore(latin(input)) ? storedObjects(latin(input)) : undefined),
  },
};

/** Fuzz targets: locks, statements, licences of packages, and what registries say. */

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { Layout } from '../../src/artefacts/layout.ts';
import { licensesOf } from '../../src/families/apt/copyright.ts';
import { parseAuthFile, parseChallenges } from '../../src/formats/oci/credentials.ts';
import { chosenManifest, EMPTY, encodeManifest, parseManifest, TYPES } from '../../src/formats/oci/manifest.ts';
import { isReference, referenceOf } from '../../src/formats/oci/reference.ts';
import { lockText, parseLock } from '../../src/lock/lock.ts';
import { signed, verificationKey, verifySigned } from '../../src/proof/provenance.ts';
import { Tree } from '../../src/tree/tree.ts';
import { type FuzzTarget, latin, text } from './tool.ts';

const HEX = 'a'.repeat(64);
const LOCK = {
  format: 1,
  tool: { name: 'osbuilder', version: '0.1.0' },
  ...{ distribution: 'debian', release: 'trixie', architecture: 'x86_64', family: 'apt', init: 'agent', epoch: 1 },
  settings: { 'agent-init': true, remove: ['/a'], compress: 'zstd' },
  repositories: [
    {
      ...{ name: 'trixie', urls: ['http://deb.example/debian'], suite: 'trixie', components: ['main'] },
      metadata: { date: 1, sha256: HEX, signedBy: ['B'] },
    },
  ],
  packages: [
    {
      name: 'a',
      version: '1',
      architecture: 'amd64',
      size: 1,
      sha256: HEX,
      path: 'pool/a.deb',
      repository: 0,
      reason: 'x',
    },
  ],
  inputs: [{ setting: 'agent', name: 'kata-agent', sha256: HEX, kind: 'file' }],
  outputs: [{ kind: 'initrd', name: 'i.img', size: 1, sha256: HEX }],
};

/** A key for tests alone; nothing is signed with it elsewhere. RFC 8032 section 7.1, test 1. */
const SECRET = createPrivateKey({
  key: Buffer.from(
    '302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'hex',
  ),
  format: 'der',
  type: 'pkcs8',
});
const PUBLIC = createPublicKey(SECRET).export({ type: 'spki', format: 'pem' });
const STATEMENT = JSON.stringify({ subject: [{ name: 'i.img', digest: { sha256: HEX } }] });

const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${HEX}`, size: 5 };
const MANIFEST = encodeManifest({
  ...{ mediaType: TYPES.manifest, artifactType: 'a/b', config: EMPTY.descriptor, layers: [LAYER] },
  ...{ subject: LAYER, annotations: { a: 'b' } },
});
const PLAIN = encodeManifest({ mediaType: TYPES.manifest, config: EMPTY.descriptor, layers: [LAYER] });
const INDEX = encodeManifest({
  mediaType: TYPES.index,
  manifests: [PLAIN.descriptor, { ...MANIFEST.descriptor, platform: { os: 'linux', architecture: 'amd64' } }],
});

/** Targets by name. */
export const PROOF_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  lock: {
    seeds: () => [Buffer.from(JSON.stringify(LOCK))],
    run: (input) => lockText(parseLock(latin(input), 'lock.json')),
  },
  dsse: {
    seeds: () => [Buffer.from(signed(STATEMENT, SECRET))],
    run: (input) => verifySigned(latin(input), createPublicKey(SECRET), 'statement.json'),
  },
  'public-key': { seeds: () => [Buffer.from(PUBLIC)], run: (input) => verificationKey(input, 'key.pub') },
  copyright: {
    seeds: () => [
      text(
        'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
        '',
        'Files: *',
        'Copyright: 2001 A',
        'License: GPL-2+ and (MIT or BSD-3-clause)',
        '',
        'License: MIT',
        ' Permission is hereby granted',
        ' .',
        ' more',
      ),
    ],
    run: (input) => licensesOf(latin(input)),
  },
  'oci-manifest': {
    seeds: () => [MANIFEST.bytes, INDEX.bytes],
    run: (input) => {
      const found = parseManifest(input, 'manifest');
      if (found.kind === 'index') chosenManifest(found, 'x86_64', 'index');
    },
  },
  'oci-layout': {
    seeds: () => [INDEX.bytes],
    run: async (input) => {
      const tree = new Tree();
      tree.makeDirectory('blobs/sha256');
      tree.writeFile('index.json', input);
      for (const { descriptor, bytes } of [MANIFEST, PLAIN])
        tree.writeFile(`blobs/sha256/${descriptor.digest.slice(7)}`, bytes);
      const layout = new Layout(tree, 'layout');
      const { descriptor } = await layout.top(undefined);
      await layout.referrers(descriptor.digest);
    },
  },
  'auth-file': {
    seeds: () => [
      Buffer.from(
        JSON.stringify({
          auths: { 'r.example': { auth: 'dTpw' }, 'r.example/a': { identitytoken: 't' } },
          credHelpers: { 'h.example': 'pass' },
        }),
      ),
    ],
    run: (input) => {
      const file = parseAuthFile(input, 'config.json');
      for (const registry of ['r.example', 'docker.io', '__proto__', 'constructor']) file.find(registry, 'a/b');
    },
  },
  challenge: {
    seeds: () => [text('Bearer realm="https://a.example/t",service="s",scope="x \\" y", Basic realm=z')],
    run: (input) => parseChallenges(latin(input)),
  },
  reference: {
    seeds: () => [
      Buffer.from(`oci://registry.example:5000/a/b-c:1.0@sha256:${HEX}`),
      Buffer.from('docker://alpine:3.19'),
      Buffer.from('oci-archive:/a/b.tar:tag'),
    ],
    run: (input) => isReference(latin(input)) && referenceOf(latin(input)),
  },
};

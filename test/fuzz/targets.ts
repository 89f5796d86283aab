/**
 * What can be fuzzed: a row per parser, with seeds that are made here. A parser may reject an input with a `BuildError`;
 * any other error, an endless run or too much memory is a fault.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { diskStructures } from '../../src/artefacts/structures.ts';
import { verityStructures } from '../../src/artefacts/verity.ts';
import { type Bytes, type Content, collect, concat, memory } from '../../src/bytes/content.ts';
import { type RandomAccess, randomAccessMemory } from '../../src/bytes/file.ts';
import { compress } from '../../src/compression/compress.ts';
import { decompressAny } from '../../src/compression/decompress.ts';
import { BuildError } from '../../src/errors/error.ts';
import { readArchive } from '../../src/families/apk/archive.ts';
import { parseIndex } from '../../src/families/apk/index-file.ts';
import { readDeb, readPayload } from '../../src/families/apt/archive.ts';
import { parsePackages } from '../../src/families/apt/packages-parse.ts';
import { parseRelease } from '../../src/families/apt/release.ts';
import { verifyClearsigned } from '../../src/fetch/openpgp.ts';
import { readAr } from '../../src/formats/ar/read.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { readCpio } from '../../src/formats/cpio/read.ts';
import { DISCOVERABLE } from '../../src/formats/disk/discoverable.ts';
import { gptDisk, readGpt } from '../../src/formats/disk/gpt.ts';
import { mbr, readMbr } from '../../src/formats/disk/mbr.ts';
import { parseUuid } from '../../src/formats/disk/uuid.ts';
import { readDlopenNotes } from '../../src/formats/elf/notes.ts';
import { readElf } from '../../src/formats/elf/read.ts';
import { checkExt4 } from '../../src/formats/ext4/check/check.ts';
import { ext4Image } from '../../src/formats/ext4/emit.ts';
import { openExt4 } from '../../src/formats/ext4/read.ts';
import { keyStore } from '../../src/formats/jks/emit.ts';
import { plainKernel } from '../../src/formats/kernel/image.ts';
import { readModuleIndex } from '../../src/formats/kmod/index-file.ts';
import { moduleIndex } from '../../src/formats/kmod/index-write.ts';
import { readModule } from '../../src/formats/kmod/module.ts';
import { ldCache } from '../../src/formats/ldcache/emit.ts';
import { readLdCache } from '../../src/formats/ldcache/read.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { readTar } from '../../src/formats/tar/read.ts';
import { KATA_FORMAT, readSuperblock, superblock } from '../../src/formats/verity/layout.ts';
import { parseRoot } from '../../src/formats/verity/parameters.ts';
import { readSignature } from '../../src/formats/verity/signature.ts';
import { measured } from '../../src/formats/verity/tree.ts';
import { certificatesOf, fingerprint, subjectHash } from '../../src/formats/x509/certificate.ts';
import { checkXfs } from '../../src/formats/xfs/check.ts';
import { xfsImage } from '../../src/formats/xfs/emit.ts';
import { openXfs } from '../../src/formats/xfs/read.ts';
import { parseAwk } from '../../src/shell/commands/awk-parser.ts';
import { parseSed } from '../../src/shell/commands/sed-parser.ts';
import { Budget } from '../../src/shell/limits.ts';
import { compileRegex } from '../../src/shell/regex.ts';
import { edges } from '../formats/xfs/edges.ts';
import { apk } from '../support/apks.ts';
import { ar, deb, tar } from '../support/debs.ts';
import { elfFile } from '../support/elves.ts';
import { arm64Image, bzImage, vmlinux, zboot } from '../support/kernels.ts';
import { madeModule } from '../support/modules.ts';
import { installed, smallSystem } from '../support/postinst.ts';
import { noise } from '../support/trees.ts';
import { DOCUMENT_TARGETS } from './targets-documents.ts';
import { GUEST_TARGETS } from './targets-guest.ts';
import { PROOF_TARGETS } from './targets-proof.ts';
import { REPOSITORY_TARGETS } from './targets-repository.ts';
import { drain, type FuzzTarget, latin, rejecting, smallTree, text, withFile } from './tool.ts';

const bytes = (input: Uint8Array): Bytes => memory(input).open();
const contentAt = (_at: number, size: number) => ({ ...memory(new Uint8Array(0)), size });

const MEMBERS = [{ name: './' }, { name: './a', data: 'content' }, { name: './b', type: '1', link: './a' }];

function compressed(format: 'gzip' | 'zstd' | 'lz4'): FuzzTarget {
  return {
    seeds: async () =>
      Promise.all(
        [noise(3000, 1), Buffer.from('the same again and again '.repeat(400)), new Uint8Array(0)].map((plain) =>
          collect(compress(bytes(plain), format)),
        ),
      ),
    run: (input) => drain(decompressAny(bytes(input), 'input')),
  };
}

const ext4Seeds = async () =>
  Promise.all(
    [
      { metadata_csum: false, has_journal: false, resize_inode: false },
      { has_journal: false },
      { metadata_csum: false, has_journal: false, extent: false, '64bit': false },
    ].map((features) => collect(ext4Image(smallTree(), { blockSize: 1024, features }).open())),
  );

/** Size of an XFS image that is fuzzed: most of it is zeros. */
const XFS_SIZE = 64 << 20;

/** The blocks of an image that hold something, each behind its number: inputs stay short. */
function toBlocks(image: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const zeros = Buffer.alloc(4096);
  for (let at = 0; at < image.length; at += 4096) {
    const block = image.subarray(at, at + 4096);
    if (zeros.equals(block)) continue;
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, at / 4096);
    parts.push(number, block);
  }
  return Buffer.concat(parts);
}

/** The image again. */
function fromBlocks(input: Uint8Array): RandomAccess {
  const blocks = new Map<number, Uint8Array>();
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  for (let at = 0; at + 4 < input.length; at += 4100)
    blocks.set(view.getUint32(at) % (XFS_SIZE / 4096), input.subarray(at + 4, at + 4100));
  return {
    size: XFS_SIZE,
    async *open() {},
    readAt(offset, into) {
      if (offset < 0 || offset + into.length > XFS_SIZE)
        throw new BuildError('CONTENT_SHORT', { path: 'image', offset, size: into.length });
      into.fill(0);
      for (let done = 0; done < into.length; ) {
        const from = (offset + done) % 4096;
        const part = (blocks.get(Math.floor((offset + done) / 4096)) ?? new Uint8Array(0)).subarray(from);
        into.set(part.subarray(0, into.length - done), done);
        done += 4096 - from;
      }
    },
  };
}

const xfsSeeds = async () => {
  const tree = edges();
  const small = smallTree();
  for (const name of ['short-20', 'block-125', 'leaf-504', 'attribute-4000', 'attributes-130', 'acl', 'holes-253'])
    small.set(name, tree.lstat(name)!);
  const all = { rmapbt: true, reflink: true, nrext64: true };
  return Promise.all(
    [{ small: true }, { small: true, sectorSize: 4096, features: all }].map(async (options) =>
      toBlocks(await collect(xfsImage(small, options).open())),
    ),
  );
};

/** `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=fuzz seed'` */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfDCCASOgAwIBAgIUS6ND72swThyESyUD+FCHW05CYNEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJZnV6eiBzZWVkMB4XDTI2MTEyOTIyMzU1MVoXDTM2MTEyNjIy
MzU1MVowFDESMBAGA1UEAwwJZnV6eiBzZWVkMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEZnqB8419E6NxYvq1QJarcab5/HZCGyM18sMapcsy+35n3UDo1vpExwE+
IplXbLhF5gURjH0z0P2aGvtCBK1NmqNTMFEwHQYDVR0OBBYEFIAetiaLDv8wojkh
xyphiNhR6gGHMB8GA1UdIwQYMBaAFIAetiaLDv8wojkhxyphiNhR6gGHMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgXmySTqBFvDCOBD7LycGmSfId
u+yBcWu765y5ovMCXPQCIECzVcbmRhnjiGNCjPosEiPuG29Rz3LnYE9RuqqRP6DH
-----END CERTIFICATE-----`;

/** A key that openpgp.js made, and a message that it signed at the same time. */
const SIGNING_KEY =
  'xjMEaWI/QBYJKwYBBAHaRw8BAQdAOkvCoaDbkxhDsqxKOhRepzV7k7/1C+v/1lNQu+jyV+XNCWZ1enogc2VlZMLAEwQTFgoAhQWCaWI/QAMLCQcJEEoFaGOLuqAGRRQAAAAAABwAIHNhbHRAbm90YXRpb25zLm9wZW5wZ3Bqcy5vcmfqIHE88pUiIhbuZ12+rpqLCCCwLDfhwRQi8P0VCrnaVgUVCggODAQWAAIBAhkBApsDAh4BFiEEWaZalpu0/6SvSfiDSgVoY4u6oAYAAIeWAP9LyvtSv3lQ6qYmOaWg4S+0AcmIiOFtQcXi4fWeFALrxAD/X86DDxKlbzLckiSTAKqz+taDxxAunjj31a8gEvNMuQLOOARpYj9AEgorBgEEAZdVAQUBAQdA8sx9pETBo8to1je0/p9SuIfEFIz2jBbv3UIVmMNG/3cDAQgHwr4EGBYKAHAFgmliP0AJEEoFaGOLuqAGRRQAAAAAABwAIHNhbHRAbm90YXRpb25zLm9wZW5wZ3Bqcy5vcmf1rkI0dI7uQVKK0+ztsPy+60DsTSt9bFQiHtwUkOurJQKbDBYhBFmmWpabtP+kr0n4g0oFaGOLuqAGAACH0AEA3AgRYLR6gWWA/vApwUhCfnvaUNeG0b42pHKMqUVFYQ0BANQQAu7iVs3Zr8X3xLmuyKCPws88OK52PiDgby8dpnEI';
const SIGNED = `-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

Origin: x
- - dash

-----BEGIN PGP SIGNATURE-----

wrsEARYKAG0FgmliP0AJEEoFaGOLuqAGRRQAAAAAABwAIHNhbHRAbm90YXRp
b25zLm9wZW5wZ3Bqcy5vcmf5MRuH1DyV8JEW9CAkXi3vMb7BQphC1+ZJB6JN
XBwr/xYhBFmmWpabtP+kr0n4g0oFaGOLuqAGAABx9QD+NbsQVZ4YsgjTLi22
UuzCdWj3qGLCCeL9xGgggW8K9kYA+wUHxStnA0od92esNlXbwdgGi73EC3mh
+rADTmjX9G4E
=uxwD
-----END PGP SIGNATURE-----
`;

/** Every target by its name. */
export const TARGETS: Readonly<Record<string, FuzzTarget>> = {
  ...REPOSITORY_TARGETS,
  ...PROOF_TARGETS,
  ...GUEST_TARGETS,
  ...DOCUMENT_TARGETS,
  ar: {
    seeds: () => [
      ar([
        { name: 'debian-binary', data: Buffer.from('2.0\n') },
        { name: 'x', data: noise(99, 1) },
      ]),
    ],
    run: async (input) => {
      for await (const member of readAr(bytes(input), 'input')) void member;
    },
  },
  tar: {
    seeds: async () => [tar(MEMBERS), await collect(tarArchive(smallTree()).open())],
    run: (input) => drain(readTar(bytes(input), 'input', contentAt)),
  },
  cpio: {
    seeds: async () => [await collect(cpioArchive(smallTree()).open())],
    run: (input) => drain(readCpio(bytes(input), 'input', contentAt)),
  },
  deb: {
    seeds: () => [deb({ name: 'small', files: MEMBERS })],
    run: (input) =>
      withFile(input, (path) =>
        readDeb(path, 'input', { control: () => {}, data: (stream) => drain(readPayload(stream, 'input', contentAt)) }),
      ),
  },
  'apk-index': {
    seeds: () => [
      text(
        'C:Q1p78yvTLG094tHE1+dToJGbmYzQE=',
        'P:musl',
        'V:1.2.5-r0',
        'A:x86_64',
        'S:1',
        'I:2',
        'D:a>1 !b',
        'p:so:x=1',
        '',
      ),
    ],
    run: (input) => parseIndex(latin(input), () => {}),
  },
  'apk-package': {
    seeds: () => [apk({ name: 'small', version: '1-r0', files: MEMBERS.slice(0, 2) }).bytes],
    run: (input) => withFile(input, (path) => readArchive(path, 'input')),
  },
  release: {
    seeds: () => [
      text(
        ...['Origin: Debian', 'Suite: stable', 'Codename: trixie', 'Date: Sat, 10 Jan 2026 12:00:00 UTC'],
        ...['Valid-Until: Sat, 17 Jan 2026 12:00:00 UTC', 'Architectures: amd64', 'Components: main', 'SHA256:'],
        ` ${'0'.repeat(64)} 12 main/binary-amd64/Packages`,
      ),
    ],
    run: (input) => parseRelease(latin(input), 'input'),
  },
  packages: {
    seeds: () => [
      text(
        ...['Package: a', 'Version: 1:2-3', 'Architecture: amd64', 'Depends: b (>= 1) | c [amd64], d:any', 'Size: 12'],
        ...[
          'Filename: pool/a.deb',
          `SHA256: ${'a'.repeat(64)}`,
          'Description: x',
          ' more',
          '',
          'Package: b',
          'Version: 1',
          'Architecture: all',
          '',
        ],
      ),
    ],
    run: (input) => parsePackages(bytes(input), 'input'),
  },
  openpgp: {
    seeds: () => [Buffer.from(SIGNED)],
    run: (input) =>
      verifyClearsigned(
        input,
        { name: 'seed', keys: [Buffer.from(SIGNING_KEY, 'base64')] },
        { path: 'input', at: 1_768_046_400 },
      ),
  },
  ext4: {
    seeds: ext4Seeds,
    run: async (input) => {
      let left = 8 << 20;
      for (const { inode } of openExt4(randomAccessMemory(input)).tree().walk()) {
        if (inode.kind !== 'file' || (left -= inode.content.size) < 0) continue;
        await drain(inode.content.open());
      }
    },
  },
  'ext4-check': { seeds: ext4Seeds, run: (input) => checkExt4(randomAccessMemory(input)) },
  xfs: {
    seeds: xfsSeeds,
    run: async (input) => {
      let left = 8 << 20;
      for (const { inode } of openXfs(fromBlocks(input), { verify: false }).tree().walk()) {
        if (inode.kind !== 'file' || (left -= inode.content.size) < 0) continue;
        await drain(inode.content.open());
      }
    },
  },
  'xfs-check': { seeds: xfsSeeds, run: (input) => checkXfs(fromBlocks(input), { verify: false }) },
  disk: {
    seeds: async () => {
      const guid = parseUuid('0fc63daf-8483-4772-8e79-3d69d8477de4')!;
      const disk = gptDisk([{ name: 'root', type: guid, guid, content: memory(noise(4096, 1)) }], {
        diskGuid: guid,
        alignment: 4096,
      });
      return [await collect(disk.open()), mbr([{ start: 1 << 20, size: 1 << 20, type: 0x83 }])];
    },
    run: (input) => {
      readGpt(randomAccessMemory(input));
      if (input.length >= 512) readMbr(input.subarray(0, 512));
    },
  },
  verity: {
    seeds: async () => {
      const salt = new Uint8Array(32).fill(7);
      const format = { ...KATA_FORMAT, salt };
      const data = memory(noise(5 * 4096, 3));
      const { tree, root } = measured(data, format);
      const header = new Uint8Array(4096);
      header.set(superblock(format, 5, new Uint8Array(16)));
      const guid = await root();
      const types = DISCOVERABLE['x86_64']!;
      const partition = (type: string, id: Uint8Array, content: Content) => ({
        name: 'part',
        type: parseUuid(type)!,
        guid: id,
        content,
      });
      const signature = new Uint8Array(4096);
      signature.set(Buffer.from(`{"rootHash":"${Buffer.from(guid).toString('hex')}","signature":"MIIB"}`));
      const disk = gptDisk(
        [
          partition(types.root, guid.slice(0, 16), data),
          partition(types.verity, guid.slice(16), concat(memory(header), tree)),
          partition(types.signature, salt.slice(0, 16), memory(signature)),
        ],
        { diskGuid: salt.slice(0, 16), alignment: 4096 },
      );
      return [await collect(disk.open()), header.subarray(0, 512), signature];
    },
    run: async (input) => {
      const access = randomAccessMemory(input);
      readSuperblock(input);
      readSignature(input.subarray(0, 8192));
      parseRoot(Buffer.from(input.subarray(0, 300)).toString('latin1'));
      const { volumes } = diskStructures(access);
      await verityStructures(access, volumes, { file: '/nonexistent/disk.img' }, true);
    },
  },
  gzip: compressed('gzip'),
  xz: {
    // `printf 'hello hello hello hello\n' | xz`
    seeds: () => [
      Buffer.from(
        'fd377a585a000004e6d6b4460200210116000000742fe5a3e00017000c5d00341949ee8de9560ac121b000006c14ed1b3b68bb9100012818d783b76e1fb6f37d010000000004595a',
        'hex',
      ),
    ],
    run: (input) => drain(decompressAny(bytes(input), 'input')),
  },
  zstd: compressed('zstd'),
  lz4: compressed('lz4'),
  bzip2: {
    // `printf 'hello hello hello\n' | bzip2`
    seeds: () => [
      Buffer.from(
        '425a6839314159265359e5b5f3090000045100001040000244a00021b5180c029069c2a30bb9229c284872daf98480',
        'hex',
      ),
    ],
    run: (input) => drain(decompressAny(bytes(input), 'input')),
  },
  'dlopen notes': {
    seeds: () => [
      elfFile({
        notes: ['[{"soname":["libz.so.1","libz.so"],"priority":"required","feature":"z"}]'],
        noteSection: true,
      }),
      elfFile({ bits: 32, little: false, machine: 20, notes: ['[{"soname":["liba.so.1"]}]', '[]'] }),
    ],
    run: (input) => readDlopenNotes(randomAccessMemory(input)),
  },
  elf: {
    seeds: () => [readFileSync(process.execPath).subarray(0, 1 << 14)],
    run: (input) => readElf(randomAccessMemory(input)),
  },
  'ld-cache': {
    seeds: () => [ldCache([{ soname: 'libc.so.6', path: '/lib/libc.so.6', flags: 0x303 }])],
    run: (input) => readLdCache(input),
  },
  kernelModule: {
    seeds: () => [
      madeModule({ exports: ['a'], needs: ['b', 'c'], versions: ['module_layout'], info: ['alias=x', 'license=GPL'] }),
      madeModule({ bits: 32, bigEndian: true, strings: ['a', 'b'], needs: ['c'] }),
    ],
    run(input) {
      const { info, exports, needs } = readModule(randomAccessMemory(input), 'input');
      return info.length + exports.length + needs.length;
    },
  },
  moduleIndex: {
    seeds: () =>
      (['children-first', 'parents-first'] as const).map((order) =>
        moduleIndex(
          ['a', 'ab', 'abc', 'b', 'a'].map((key, priority) => ({ key, value: key, priority })),
          order,
        ),
      ),
    run: (input) => readModuleIndex(input, 'input'),
  },
  kernel: {
    seeds: () => [
      bzImage(gzipSync(vmlinux(3000)), 3000, 'v', true),
      zboot(gzipSync(arm64Image(2000)), 'gzip'),
      gzipSync(arm64Image(2000)),
    ],
    async run(input) {
      const kernel = await plainKernel(randomAccessMemory(input), 'input');
      await drain(kernel.open());
    },
  },
  x509: {
    seeds: () => [Buffer.from(CERTIFICATE), Buffer.from(`${CERTIFICATE}\n${CERTIFICATE}\n`)],
    run: (input) => {
      for (const one of certificatesOf(latin(input))) {
        subjectHash(one);
        fingerprint(one);
      }
    },
  },
  jks: {
    seeds: () => [Buffer.from('alias'), noise(200, 3)],
    run: (input) =>
      keyStore([{ alias: latin(input.subarray(0, 20)), certificate: input }], {
        password: 'changeit',
        time: 0,
      }),
  },
  yaml: {
    seeds: () => [
      text('distro: debian', 'extraPkgs: [a, b]', 'agent: demo', 'x: &a [1, *a]', 'y: 3.20', 'z: !!int "3"'),
    ],
    run: async (input) => {
      const { yamlValues } = await import('../../src/commands/config.ts');
      const { BuildError } = await import('../../src/errors/error.ts');
      const invalid = (reason: string) => new BuildError('USAGE', { reason });
      await yamlValues(Buffer.from(input).toString('utf8'), invalid);
    },
  },
  shell: {
    seeds: () => [
      text(
        'set -e',
        'case "$1" in configure) for x in a b; do echo "$x" >> /tmp/x; done;; esac',
        'x=$(echo ${1#c})',
        'exit 0',
      ),
      text(
        'f() { local a=1; [ "$a" = 1 ] && return 0; }',
        'f; cat <<E',
        '$((1+2)) `echo x`',
        'E',
        'test -e /etc && ls -l /etc | sort',
      ),
    ],
    run: (input) => {
      installed([{ name: 'p', control: { postinst: `#!/bin/sh\n${latin(input)}` } }]);
    },
  },
  awk: {
    seeds: () => [
      text(
        'BEGIN { FS = ":" } /a/ { n[$1]++; print substr($0, 2, 3), length($2) } END { for (k in n) printf "%s %d\\n", k, n[k] }',
      ),
    ],
    run: (input) => {
      rejecting(() => parseAwk(latin(input), new Budget('input')));
      program('awk', input);
    },
  },
  sed: {
    seeds: () => [text('s/a\\(.\\)b/\\1x/g', '/^#/d', '1,3{p;n}', ':x; /y$/ { N; b x }', 'y/abc/xyz/')],
    run: (input) => {
      rejecting(() => parseSed(latin(input), false, new Budget('input')));
      program('sed', input);
    },
  },
  regex: {
    seeds: () => [text('^(a|b)*[[:alpha:]]{2,3}$'), text('x\\{1,\\}[^]a-z]'), text('((a*)*)*b')],
    run: (input) => {
      for (const extended of [true, false])
        rejecting(() => compileRegex(latin(input), new Budget('input'), { extended }));
    },
  },
};

/** Runs a program of awk or sed over a few lines, as a script would. */
function program(name: string, input: Uint8Array): void {
  const tree = smallSystem();
  tree.writeFile('program', input);
  installed([{ name: 'p', control: { postinst: `#!/bin/sh\nprintf 'a b\\n#c:d\\n' | ${name} -f /program\n` } }], tree);
}

/** Fuzz targets: what comes from repositories and from files that users name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collect, memory } from '../../src/bytes/content.ts';
import { decompressAny } from '../../src/compression/decompress.ts';
import { profileFrom, profileNamed } from '../../src/distros/distros.ts';
import { keyOf } from '../../src/families/apk/key-file.ts';
import { parseWorld } from '../../src/families/apk/resolve.ts';
import { readPreseed } from '../../src/families/apt/configure/debconf.ts';
import { parseControl } from '../../src/families/apt/deb822.ts';
import { parseHostSources } from '../../src/families/apt/host-sources.ts';
import { parsePinLine, parsePreferences } from '../../src/families/apt/preferences.ts';
import { parseRelations } from '../../src/families/apt/relations.ts';
import { parseComps } from '../../src/families/rpm/comps.ts';
import { parseMirrorList } from '../../src/families/rpm/mirrors.ts';
import { moduleFilter } from '../../src/families/rpm/module-filter.ts';
import { mergeModules, parseModules } from '../../src/families/rpm/modules.ts';
import { factsOf, PrimaryReader } from '../../src/families/rpm/primary.ts';
import { readRepoFile } from '../../src/families/rpm/repo-file.ts';
import { parseRepomd } from '../../src/families/rpm/repomd.ts';
import { Relations } from '../../src/families/rpm/solver/relations.ts';
import { parseRich } from '../../src/families/rpm/solver/rich-parse.ts';
import { SOURCE_DEFAULTS } from '../../src/families/rpm/source.ts';
import { joinUrl, placeOf, staysBelow } from '../../src/fetch/mirror/url.ts';
import { dependenciesOf, dependencyText } from '../../src/formats/rpm/dependencies.ts';
import { fileTable } from '../../src/formats/rpm/files.ts';
import { TAG } from '../../src/formats/rpm/layout.ts';
import { readPackage } from '../../src/formats/rpm/package.ts';
import { readPayload } from '../../src/formats/rpm/payload.ts';
import { payloadDigests, proveHeader, signaturesOf } from '../../src/formats/rpm/proof.ts';
import { scriptOf, triggersOf } from '../../src/formats/rpm/scripts.ts';
import { ROOT } from '../support/data.ts';
import { drain, type FuzzTarget, latin, text } from './tool.ts';

/** Made by rpmbuild from the seed.spec beside it. */
const RPM = readFileSync(join(ROOT, 'fixtures', 'rpm', 'seed.rpm'));

/** Reads an rpm package as a build does, digests aside: a changed package would never come past them. */
async function readRpm(input: Uint8Array): Promise<void> {
  const rpm = readPackage((offset, length) => input.subarray(offset, offset + length), 'input');
  const { main } = rpm;
  for (const kind of ['provides', 'requires', 'conflicts', 'obsoletes', 'recommends', 'suggests'] as const)
    for (const one of dependenciesOf(main, kind)) dependencyText(one);
  for (const name of ['pretrans', 'prein', 'postin', 'posttrans'] as const) scriptOf(main, name);
  for (const kind of ['triggers', 'fileTriggers', 'transFileTriggers'] as const) triggersOf(main, kind);
  for (const tag of Object.values(TAG)) main.has(tag);
  payloadDigests(rpm);
  signaturesOf(rpm);
  const table = fileTable(main);
  const payload = await collect(decompressAny(memory(input.subarray(rpm.payloadOffset)).open(), 'input'));
  await drain(readPayload(memory(payload).open(), table, 'input', (_, size) => ({ ...memory(''), size })));
}

const PRIMARY = text(
  '<?xml version="1.0" encoding="UTF-8"?>',
  '<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">',
  '<package type="rpm"><name>a</name><arch>x86_64</arch><version epoch="0" ver="1.0" rel="2"/>',
  `<checksum type="sha256" pkgid="YES">${'a'.repeat(64)}</checksum><summary>a &amp; b</summary>`,
  '<time file="1" build="2"/><size package="3" installed="4" archive="5"/><location href="a-1.0-2.x86_64.rpm"/>',
  '<format><rpm:license>x</rpm:license><rpm:sourcerpm>a.src.rpm</rpm:sourcerpm>',
  '<rpm:provides><rpm:entry name="a" flags="EQ" epoch="0" ver="1.0" rel="2"/></rpm:provides>',
  '<rpm:requires><rpm:entry name="(b if c)"/><rpm:entry name="d" flags="GE" ver="1" pre="1"/></rpm:requires>',
  '<file>/usr/bin/a</file><file type="dir">/usr/lib/a</file></format></package></metadata>',
);

/** Targets by name. */
export const REPOSITORY_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  rpm: {
    seeds: () => [RPM],
    run: readRpm,
  },
  'rpm-proof': {
    seeds: () => [RPM],
    run: (input) => proveHeader(readPackage((offset, length) => input.subarray(offset, offset + length), 'input')),
  },
  repomd: {
    seeds: () => [
      text(
        '<?xml version="1.0" encoding="UTF-8"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>',
        `<data type="primary"><checksum type="sha256">${'a'.repeat(64)}</checksum>`,
        `<open-checksum type="sha256">${'b'.repeat(64)}</open-checksum><location href="repodata/primary.xml.gz"/>`,
        '<timestamp>1700000000</timestamp><size>12</size><open-size>34</open-size></data></repomd>',
      ),
    ],
    run: (input) => parseRepomd(input, 'input'),
  },
  primary: {
    seeds: () => [PRIMARY],
    run: (input) => {
      const reader = new PrimaryReader('input');
      // in two pieces: tokens may be cut anywhere
      reader.push(input.subarray(0, input.length >> 1));
      reader.push(input.subarray(input.length >> 1));
      const { table, facts } = reader.end();
      for (const line of facts.toArray()) factsOf(line);
      // reads every rich dependency
      void new Relations([table]);
    },
  },
  'rich-dependency': {
    seeds: () => [text('(a and (b >= 1.0 or c) if d else e)'), text('(a with b without c unless (d < 2))')],
    run: (input) => {
      const reader = new PrimaryReader('empty');
      reader.push(text('<metadata></metadata>'));
      parseRich(new Relations([reader.end().table]), latin(input).trim());
    },
  },
  comps: {
    seeds: () => [
      text(
        '<comps><group><id>core</id><name>Core</name><default>true</default><packagelist>',
        '<packagereq type="mandatory">bash</packagereq><packagereq type="conditional" requires="x">y</packagereq>',
        '</packagelist></group><environment><id>e</id><name>E</name><grouplist><groupid>core</groupid></grouplist>',
        '<optionlist><groupid default="true">o</groupid></optionlist></environment></comps>',
      ),
    ],
    run: (input) => parseComps(input, 'input'),
  },
  modules: {
    seeds: () => [
      text(
        '---\ndocument: modulemd\nversion: 2\ndata:\n  name: m\n  stream: "1.0"\n  version: 1\n  context: c\n  arch: x86_64',
        '  artifacts:\n    rpms:\n    - a-0:1.0-2.x86_64\n---\ndocument: modulemd-defaults\nversion: 1\ndata:',
        '  module: m\n  stream: "1.0"\n',
      ),
    ],
    run: (input) => moduleFilter(mergeModules([parseModules(Buffer.from(input).toString('utf8'), 'input')])),
  },
  'mirror-list': {
    seeds: () => [
      text('# mirrors', 'https://a.example.org/x/', 'http://b.example.org/'),
      text(
        '<?xml version="1.0"?><metalink version="3.0"><files><file name="repomd.xml"><size>12</size><verification>',
        `<hash type="sha256">${'a'.repeat(64)}</hash></verification><resources>`,
        '<url protocol="https" type="https" location="DE" preference="100">https://a.example.org/repodata/repomd.xml</url>',
        '</resources></file></files></metalink>',
      ),
    ],
    run: (input) => parseMirrorList(input, 'input'),
  },
  'repo-file': {
    seeds: () => [
      text(
        ...['[base]', 'name=Base $releasever', 'baseurl=https://a.example.org/$basearch/', '  https://b.example.org/'],
        ...['enabled=1', 'gpgcheck=1', 'gpgkey=file:///key', 'priority=10', 'exclude=a* b', '', '[main]', 'x=y'],
      ),
    ],
    run: (input) => {
      const host = { readFile: () => Buffer.from('key'), report: () => {} } as unknown as Parameters<
        typeof readRepoFile
      >[4];
      const trust = { ...SOURCE_DEFAULTS, keyring: undefined };
      readRepoFile(Buffer.from(input).toString('utf8'), 'input', trust, { releasever: '9', basearch: 'x86_64' }, host);
    },
  },
  'apt-sources': {
    seeds: () => [
      text('deb [signed-by=/k arch=amd64] https://a.example.org/debian trixie main contrib # x'),
      text(
        'Types: deb deb-src',
        'URIs: https://a.example.org/debian',
        'Suites: trixie',
        'Components: main',
        'Enabled: yes',
      ),
    ],
    run: (input) => {
      parseHostSources(latin(input), '/etc/apt/sources.list');
      parseHostSources(latin(input), '/etc/apt/sources.list.d/x.sources');
    },
  },
  'apt-preferences': {
    seeds: () => [
      text(
        'Package: a b* /c/',
        'Pin: release a=trixie, o="De bian"',
        'Pin-Priority: 900',
        '',
        'Package: *',
        'Pin: version 1*',
      ),
      text('Package: x; Pin: origin a.example.org; Pin-Priority: -1'),
    ],
    run: (input) => {
      parsePreferences(latin(input), 'input');
      parsePinLine(latin(input), 'input');
    },
  },
  'deb-control': {
    seeds: () => [
      text(
        'Package: a',
        'Version: 1',
        'Architecture: all',
        'Depends: b:any (>= 1) | c [linux-any !arm64] <!nocheck>, d',
      ),
    ],
    run: (input) => {
      const stanza = parseControl(latin(input), 'input');
      parseRelations(stanza.get('Depends') ?? '');
      parseRelations(latin(input), () => {});
    },
  },
  preseed: {
    seeds: () => [text('# answers', 'tzdata tzdata/Areas select Europe', 'a a/b string x \\', '  y')],
    run: (input) => readPreseed(latin(input)),
  },
  'apk-world': {
    seeds: () => [text('busybox', 'a>=1.2.3_rc1-r0', '!b', 'so:libc.so=1@edge', 'c~1.2')],
    run: (input) => parseWorld(latin(input).split('\n')),
  },
  'apk-key': {
    seeds: () => [text('-----BEGIN PUBLIC KEY-----', 'MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL', '-----END PUBLIC KEY-----')],
    run: (input) => keyOf('folder/input.rsa.pub', input),
  },
  address: {
    seeds: () => [
      text('https://user:pass@a.example.org:8080/debian/../x?y#z'),
      text('file:///folder/x%2fy'),
      text('pool/main/%2e%2e/a.deb'),
    ],
    run: (input) => {
      const address = latin(input).trim();
      placeOf(address);
      // what comes of joining is below its base, whatever was joined
      const joined = joinUrl('https://a.example.org/base', address);
      if (!new URL(joined).href.startsWith('https://a.example.org/base/'))
        throw new TypeError(`${JSON.stringify(address)} leads to ${joined}`);
      staysBelow(address);
    },
  },
  profile: {
    seeds: () => [
      Buffer.from(JSON.stringify(profileNamed('debian'))),
      Buffer.from(JSON.stringify(profileNamed('alpine'))),
    ],
    run: (input) => {
      let value: unknown;
      try {
        value = JSON.parse(latin(input));
      } catch {
        return;
      }
      profileFrom(value, 'input');
    },
  },
};

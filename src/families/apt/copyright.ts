import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';
import { allOf, exceptionOf, knownLicense, licenseReference } from '../licenses.ts';
import { parseDeb822, type Stanza } from './deb822.ts';

/** Short names of Debian's machine-readable copyright files that are the same licence under another name on SPDX's list. */
const NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    expat: 'MIT',
    'mit/x11': 'MIT',
    'mit/expat': 'MIT',
    'mit-style': 'MIT',
    x11: 'X11',
    'apache-2': 'Apache-2.0',
    'asl-2.0': 'Apache-2.0',
    artistic: 'Artistic-1.0-Perl',
    'artistic-1': 'Artistic-1.0-Perl',
    'artistic-2': 'Artistic-2.0',
    'bsd-2': 'BSD-2-Clause',
    'bsd-2-clauses': 'BSD-2-Clause',
    'bsd-3': 'BSD-3-Clause',
    'bsd-3-clauses': 'BSD-3-Clause',
    'bsd-3c': 'BSD-3-Clause',
    'bsd-2c': 'BSD-2-Clause',
    'bsd-4': 'BSD-4-Clause',
    'bsd-new': 'BSD-3-Clause',
    'boost-1.0': 'BSL-1.0',
    'boost-1': 'BSL-1.0',
    boost: 'BSL-1.0',
    cc0: 'CC0-1.0',
    'creative commons cc0 1.0': 'CC0-1.0',
    perl: 'Artistic-1.0-Perl OR GPL-1.0-or-later',
    python: 'Python-2.0',
    psf: 'PSF-2.0',
    'psf-2': 'PSF-2.0',
    'psfl-2': 'PSF-2.0',
    'sil-1.1': 'OFL-1.1',
    'ofl-1': 'OFL-1.1',
    'zlib/libpng': 'Zlib',
    'fsf-free': 'FSFUL',
    fsfap: 'FSFAP',
    'permissive-fsf': 'FSFULLR',
    unicode: 'Unicode-DFS-2016',
    'openldap-2.8': 'OLDAP-2.8',
    openldap: 'OLDAP-2.8',
    nist: 'NIST-PD',
    'mpl-2': 'MPL-2.0',
    'mpl-1': 'MPL-1.1',
    bzip2: 'bzip2-1.0.6',
    'bsd-like-bzip2': 'bzip2-1.0.6',
  }),
);

/** Families of licences whose versions may be followed by `+`. */
const VERSIONED = /^(l?gpl|agpl|gfdl(?:-niv)?)-?v?(\d+(?:\.\d+)?)(\+|-or-later|-only)?$/i;

/**
 * The licences that a copyright file of Debian names, as one SPDX expression: of the machine-readable form its short names,
 * of others what their words say. Undefined when nothing is recognised.
 */
export function licensesOf(text: string): string | undefined {
  return (
    (/^Format(?:-Specification)?:\s*\S*(?:copyright-format|dep5|dep-5)/im.test(text.slice(0, 4096))
      ? machineReadable(text)
      : undefined) ?? fromWords(text)
  );
}

function machineReadable(text: string): string | undefined {
  let stanzas: Stanza[];
  try {
    stanzas = parseDeb822(text.replace(/\r/g, ''), 'copyright');
  } catch (error) {
    if (error instanceof BuildError) return undefined;
    throw error;
  }
  const found = new Set<string>();
  const rows = stanzas.filter((one) => one.has('Files'));
  for (const one of rows.length > 0 ? rows : stanzas) {
    const name = one.get('License')?.split('\n')[0]?.trim() ?? '';
    const body = one.get('License')?.split('\n').slice(1).join('\n') ?? '';
    const expression = name === '' ? fromWords(body) : shortNames(name);
    // a name may have separators only
    if (expression !== undefined && expression !== '') found.add(expression);
  }
  return allOf(found);
}

/** `GPL-2+ or Artistic-2.0, and BSD-3-clause` as an SPDX expression. */
function shortNames(text: string): string {
  // ", and" binds weaker than "or" (copyright-format 1.0, section 7.2)
  const groups = text
    .replace(/\s+/g, ' ')
    .split(/\s*,\s*and\s+|\s*;\s*/i)
    .map((group) => {
      const choices = group.split(/\s+or\s+|\s*\|\s*/i).map((choice) => {
        const all = choice.split(/\s+and(?:\/or)?\s+|\s*,\s*/i).filter((one) => one.trim() !== '');
        return joined(all.map(shortName), 'AND');
      });
      return joined(choices, 'OR');
    });
  return joined(groups, 'AND');
}

function joined(parts: readonly string[], operator: 'AND' | 'OR'): string {
  const distinct = [...new Set(parts.filter((one) => one !== ''))];
  const other = operator === 'AND' ? / OR / : / AND /;
  return distinct.map((one) => (distinct.length > 1 && other.test(one) ? `(${one})` : one)).join(` ${operator} `);
}

function shortName(text: string): string {
  const words = text.trim().replace(/\s+/g, ' ');
  const at = words.search(/[ -]with[ -]/i);
  const base = at < 0 ? words : withoutEnding(words.slice(0, at), ' -');
  const exception = at < 0 ? undefined : words.slice(at + 5).replace(/^[ -]+/, '');
  const licence = oneLicence(base.trim());
  const known = exception === undefined || licence.startsWith('LicenseRef-') ? undefined : exceptionOf(exception);
  return known === undefined || / (?:OR|AND) /.test(licence) ? licence : `${licence} WITH ${known}`;
}

function oneLicence(name: string): string {
  const lower = name
    .replace(/\s+/g, ' ')
    .toLowerCase()
    .replace(/^(?:the|license|licence)[\s:]+/, '')
    .replace(/ (?:license|licence)$/, '');
  const versioned = VERSIONED.exec(lower);
  if (versioned !== null) {
    const [, family = '', number = '', later] = versioned;
    const version = number.includes('.') ? number : `${number}.0`;
    const end = later === '+' || later === '-or-later' ? 'or-later' : 'only';
    const stem = family.startsWith('gfdl-niv')
      ? `gfdl-${version}-no-invariants`
      : `${family.replace('-niv', '')}-${version}`;
    const known = knownLicense(`${stem}-${end}`);
    if (known !== undefined) return known;
  }
  if (/^gpl\+?$/.test(lower)) return 'GPL-1.0-or-later';
  if (/^lgpl\+?$/.test(lower)) return 'LGPL-2.0-or-later';
  if (/^public[\s-]?domain/.test(lower)) return 'LicenseRef-public-domain';
  return NAMES.get(lower) ?? knownLicense(lower) ?? knownLicense(`${lower}-only`) ?? licenseReference(name);
}

/** Words of licences in free text, and what they are. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/permission is hereby granted, free of charge, to any person obtaining a copy/i, 'MIT'],
  [
    /permission to use, copy, modify,? (?:and\/or|and) distribute this software for any purpose with or without fee/i,
    'ISC',
  ],
  [/this software is provided 'as-is', without any express or implied warranty/i, 'Zlib'],
  [/apache license,? version 2\.0|common-licenses\/Apache-2\.0/i, 'Apache-2.0'],
  [/common-licenses\/Artistic|artistic licen[sc]e/i, 'Artistic-1.0-Perl'],
  [/mozilla public license,? (?:version|v\.?)? ?2\.0|common-licenses\/MPL-2\.0/i, 'MPL-2.0'],
  [/common-licenses\/MPL-1\.1/i, 'MPL-1.1'],
  [/common-licenses\/CC0-1\.0|CC0 1\.0/i, 'CC0-1.0'],
  [/openldap public license/i, 'OLDAP-2.8'],
  [/sleepycat/i, 'Sleepycat'],
  [/boost software license/i, 'BSL-1.0'],
  [/this software is copyrighted by the regents of the university of california|common-licenses\/BSD/i, 'BSD-3-Clause'],
  [/the authors? hereby disclaims? copyright|(?:in|into) the public domain|public domain/i, 'LicenseRef-public-domain'],
];

function fromWords(text: string): string | undefined {
  const plain = text.replace(/\s+/g, ' ');
  const found = new Set<string>();
  if (/redistribution and use in source and binary forms/i.test(plain))
    found.add(
      /all advertising materials/i.test(plain)
        ? 'BSD-4-Clause'
        : /neither the name|may not be used to endorse|names? of (?:the|its) (?:authors?|contributors?)/i.test(plain)
          ? 'BSD-3-Clause'
          : 'BSD-2-Clause',
    );
  for (const [words, id] of WORDS) if (words.test(plain)) found.add(id);
  for (const one of gnuLicences(plain)) found.add(one);
  // where a real licence was found, the words are about some files only
  if (found.size > 1) found.delete('LicenseRef-public-domain');
  return allOf(found);
}

/** GNU licences that a text names, with their version. */
function gnuLicences(text: string): string[] {
  const found = new Set<string>();
  const names: readonly (readonly [RegExp, string, string])[] = [
    [/(?:lesser|library) general public licen[sc]e|\bLGPL\b|common-licenses\/LGPL/i, 'LGPL', '2.0'],
    [/affero general public licen[sc]e|\bAGPL\b/i, 'AGPL', '3.0'],
    [
      /(?<!lesser )(?<!library )(?<!affero )general public licen[sc]e|(?<![LA])\bGPL\b|common-licenses\/GPL/i,
      'GPL',
      '1.0',
    ],
    [/free documentation licen[sc]e|common-licenses\/GFDL/i, 'GFDL', '1.3'],
  ];
  for (const [words, family, oldest] of names) {
    if (!words.test(text)) continue;
    const linked = new RegExp(`common-licenses/${family}-(\\d(?:\\.\\d)?)`, 'g');
    const said = new RegExp(`\\b${family} ?v?(?:ersion)? ?(\\d(?:\\.\\d)?)`, 'gi');
    const written =
      family === 'GPL'
        ? /(?<!lesser |library |affero )general public licen[sc]e[^.]{0,120}?version (\d(?:\.\d)?)/gi
        : family === 'LGPL'
          ? /(?:lesser|library) general public licen[sc]e[^.]{0,120}?version (\d(?:\.\d)?)/gi
          : /(?:affero general public|free documentation) licen[sc]e[^.]{0,120}?version (\d(?:\.\d)?)/gi;
    const versions = new Set(
      [linked, said, written].flatMap((one) => [...text.matchAll(one)].map((match) => match[1]!)),
    );
    const later = /any later version|or later|or newer|\bGPL(?:[ v-]*\d(?:\.\d)?)\+/i.test(text);
    for (const version of versions.size === 0 ? [oldest] : versions) {
      const full = version.includes('.') ? version : `${version}.0`;
      const known = knownLicense(`${family}-${full}-${later || versions.size === 0 ? 'or-later' : 'only'}`);
      if (known !== undefined) found.add(known);
    }
  }
  return [...found];
}

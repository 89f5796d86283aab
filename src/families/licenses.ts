import { withoutEnding } from '../bytes/ending.ts';

/** Identifiers of the SPDX list that packages of distributions use, by their lower-case spelling. */
const KNOWN = new Map(
  `0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-1.0-Perl Artistic-2.0
  Beerware BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause BSD-4-Clause-UC BSL-1.0 bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0
  CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 curl EPL-1.0 EPL-2.0 FSFAP FSFUL FSFULLR FTL GFDL-1.1-only GFDL-1.1-or-later
  GFDL-1.2-only GFDL-1.2-or-later GFDL-1.3-only GFDL-1.3-or-later GFDL-1.3-no-invariants-only
  GFDL-1.3-no-invariants-or-later GFDL-1.2-no-invariants-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only
  GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only
  LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later libpng-2.0 libtiff Libpng LPPL-1.3c MIT MIT-0 MIT-CMU MPL-1.0 MPL-1.1
  MPL-2.0 NCSA NTP OFL-1.1 OLDAP-2.8 OpenSSL PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 Ruby SGI-B-2.0 SISSL Sleepycat
  SMLNJ TCL Unicode-DFS-2015 Unicode-DFS-2016 Unicode-3.0 Unlicense Vim W3C WTFPL X11 Xnet Zlib ZPL-2.1 blessing
  Spencer-94 TCP-wrappers SunPro Latex2e Linux-man-pages-copyleft`
    .split(/\s+/)
    .map((id) => [id.toLowerCase(), id]),
);

/** Exceptions of the SPDX list, by their lower-case spelling. */
const EXCEPTION_IDS = new Map(
  `Autoconf-exception-2.0 Autoconf-exception-3.0 Bison-exception-2.2 Bootloader-exception Classpath-exception-2.0
  cryptsetup-OpenSSL-exception eCos-exception-2.0 Font-exception-2.0 freertos-exception-2.0 GCC-exception-2.0
  GCC-exception-3.1 GNU-compiler-exception Libtool-exception Linux-syscall-note LLVM-exception LZMA-exception
  OCaml-LGPL-linking-exception openvpn-openssl-exception Qt-GPL-exception-1.0 u-boot-exception-2.0
  WxWindows-exception-3.1`
    .split(/\s+/)
    .map((id) => [id.toLowerCase(), id]),
);

/** Exceptions of the SPDX list, by words that name them; others are left out: the licence alone is stricter. */
const EXCEPTIONS: readonly (readonly [RegExp, string])[] = [
  [/autoconf/i, 'Autoconf-exception-3.0'],
  [/bison/i, 'Bison-exception-2.2'],
  [/libtool/i, 'Libtool-exception'],
  [/gcc|libgcc|runtime/i, 'GCC-exception-3.1'],
  [/classpath/i, 'Classpath-exception-2.0'],
  [/font/i, 'Font-exception-2.0'],
  [/linux-syscall/i, 'Linux-syscall-note'],
  [/llvm/i, 'LLVM-exception'],
];

/** The identifier of the SPDX list in its own spelling; undefined when it is not one of those that are known here. */
export function knownLicense(text: string): string | undefined {
  return KNOWN.get(text.toLowerCase());
}

/** The SPDX identifier of an exception that words name; undefined when there is none. */
export function exceptionOf(text: string): string | undefined {
  return EXCEPTION_IDS.get(text.trim().toLowerCase()) ?? EXCEPTIONS.find(([words]) => words.test(text))?.[1];
}

/** A reference to a licence that is not on the SPDX list. */
export function licenseReference(text: string): string {
  const words = text.trim().replace(/[^A-Za-z0-9.-]+/g, '-');
  const name = withoutEnding(words, '-').replace(/^-+/, '').slice(0, 80);
  return `LicenseRef-${name === '' ? 'unknown' : name}`;
}

/** Longest expression: one of thousands of operators is no help to anybody. */
const LONGEST = 4096;

/** Expressions that all apply, joined; undefined for none. */
export function allOf(expressions: Iterable<string>): string | undefined {
  const all = [...new Set(expressions)].sort();
  if (all.length === 0) return undefined;
  const joined = all.map((one) => (all.length > 1 && / (?:OR|AND) /.test(one) ? `(${one})` : one)).join(' AND ');
  return joined.length > LONGEST ? undefined : joined;
}

/**
 * An expression of the SPDX grammar, with identifiers in their own spelling; unknown ones become references. `map` knows
 * further names; `blanks` lets names have several words, as those of distributions do. Undefined when it is no expression.
 */
export function spdxExpression(
  text: string,
  map: (name: string) => string | undefined = () => undefined,
  { blanks = false }: { readonly blanks?: boolean } = {},
): string | undefined {
  const tokens = text.match(/\(|\)|[^\s()]+/g);
  if (tokens === null || tokens.length > 2000) return undefined;
  const out: string[] = [];
  let open = 0;
  let operand = true;
  for (let i = 0; i < tokens.length; i++) {
    let token = tokens[i]!;
    const word = token.toUpperCase();
    if (token === '(') {
      if (!operand) return undefined;
      open++;
      out.push('(');
    } else if (token === ')') {
      if (operand || open-- === 0) return undefined;
      out.push(')');
    } else if (word === 'AND' || word === 'OR') {
      if (operand) return undefined;
      operand = true;
      out.push(word);
    } else if (word === 'WITH') {
      let exception = tokens[++i];
      if (operand || exception === undefined) return undefined;
      if (blanks) while (isName(tokens[i + 1])) exception += ` ${tokens[++i]!}`;
      const known = exceptionOf(exception);
      if (known !== undefined) out.push('WITH', known);
    } else {
      if (!operand) return undefined;
      operand = false;
      if (blanks) while (isName(tokens[i + 1])) token += ` ${tokens[++i]!}`;
      const plus = /^(.*)\+$/.exec(token);
      const later = plus === null ? undefined : (knownLicense(`${plus[1]}-or-later`) ?? undefined);
      out.push(
        token.startsWith('LicenseRef-') && /^LicenseRef-[A-Za-z0-9.-]+$/.test(token)
          ? token
          : (knownLicense(token) ?? later ?? knownLicense(`${token}-only`) ?? map(token) ?? licenseReference(token)),
      );
    }
  }
  if (operand || open !== 0) return undefined;
  return out.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
}

function isName(token: string | undefined): boolean {
  return token !== undefined && !/^(?:[()]|and|or|with)$/i.test(token);
}

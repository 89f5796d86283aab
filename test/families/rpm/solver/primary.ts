import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { evrText, PackageTableBuilder } from '../../../../src/families/rpm/solver/table.ts';
import { KINDS, type Kind, type PackageTable } from '../../../../src/families/rpm/solver/types.ts';

/** A small reader of primary.xml for tests of the resolver: whole files in memory, no checks. */

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const FLAGS: Readonly<Record<string, number>> = { GT: 1, EQ: 2, GE: 3, LT: 4, LE: 6 };

const plain = (text: string) =>
  text.includes('&')
    ? text.replace(/&(?:#(\d+)|(\w+));/g, (all, code: string | undefined, name: string) =>
        code === undefined ? (ENTITIES[name] ?? all) : String.fromCharCode(Number(code)),
      )
    : text;

function attributes(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/([\w:]+)="([^"]*)"/g)) found[name!] = plain(value!);
  return found;
}

export function readPrimary(path: string): PackageTable {
  const bytes = readFileSync(path);
  const xml = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
  const builder = new PackageTableBuilder();
  for (let at = xml.indexOf('<package '); at >= 0; ) {
    const end = xml.indexOf('</package>', at);
    readPackage(builder, xml.slice(at, end));
    at = xml.indexOf('<package ', end);
  }
  return builder.finish();
}

function readPackage(builder: PackageTableBuilder, xml: string): void {
  const name = plain(/<name>([^<]*)</.exec(xml)![1]!);
  const arch = /<arch>([^<]*)</.exec(xml)![1]!;
  if (arch === 'src' || arch === 'nosrc') return;
  const { epoch, ver, rel } = attributes(/<version ([^>]*)>/.exec(xml)![1]!);
  builder.package(name, evrText(epoch, ver!, rel), arch);
  for (const [, kind, body] of xml.matchAll(/<rpm:(\w+)>([\s\S]*?)<\/rpm:\1>/g)) {
    if (!(KINDS as readonly string[]).includes(kind!)) continue;
    for (const [, entry] of body!.matchAll(/<rpm:entry ([^>]*)>/g)) {
      const { name, flags, epoch, ver, rel } = attributes(entry!);
      const bits = flags === undefined || ver === undefined ? 0 : FLAGS[flags]!;
      builder.dependency(kind as Kind, name!, bits, bits === 0 ? '' : evrText(epoch, ver!, rel));
    }
  }
  for (const [, file] of xml.matchAll(/<file[^>]*>([^<]*)</g)) builder.file(plain(file!));
}

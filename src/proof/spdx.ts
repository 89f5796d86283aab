import { createHash } from 'node:crypto';
import type { Content } from '../bytes/content.ts';
import { isoTime } from '../bytes/iso-time.ts';
import { sortedJson } from '../lock/lock.ts';
import type { Bill } from './bill.ts';

/** A bill as SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3/). */
export async function spdx(bill: Bill): Promise<string> {
  const { guest, epoch, uuid, packages, inputs, files, tool } = bill;
  const created = isoTime(epoch);
  const checksums = (sha256: string) => [{ algorithm: 'SHA256', checksumValue: sha256 }];
  const ids = packages.map(({ name, version, architecture }, i) =>
    idOf(`Package-${name}-${version}-${architecture}-${i}`),
  );
  const relationships: { spdxElementId: string; relationshipType: string; relatedSpdxElement: string }[] = [];
  const relate = (from: string, relationshipType: string, to: string): void => {
    relationships.push({ spdxElementId: from, relationshipType, relatedSpdxElement: to });
  };
  relate('SPDXRef-DOCUMENT', 'DESCRIBES', 'SPDXRef-Guest');
  for (const [i, { dependsOn }] of packages.entries()) {
    relate('SPDXRef-Guest', 'CONTAINS', ids[i]!);
    for (const other of dependsOn) relate(ids[i]!, 'DEPENDS_ON', ids[other]!);
  }
  const sums: string[] = [];
  const listed = [];
  for (const [i, { path, sha256, content, package: owner }] of files.entries()) {
    const id = idOf(`File-${i}`);
    relate('SPDXRef-Guest', 'CONTAINS', id);
    if (owner !== undefined) relate(id, 'EXPANDED_FROM_ARCHIVE', ids[owner]!);
    // of each file this one is mandatory
    const sha1 = await sha1Of(content);
    sums.push(sha1);
    listed.push({
      ...{ SPDXID: id, fileName: `.${path}` },
      checksums: [{ algorithm: 'SHA1', checksumValue: sha1 }, ...checksums(sha256)],
      ...{ licenseConcluded: 'NOASSERTION', licenseInfoInFiles: ['NOASSERTION'], copyrightText: 'NOASSERTION' },
    });
  }
  const given = inputs.map(({ setting, name, sha256 }, i) => {
    const id = idOf(`Input-${i}`);
    relate('SPDXRef-Guest', 'CONTAINS', id);
    return {
      ...blank(id, name),
      ...{ checksums: checksums(sha256), comment: `given as ${setting}`, primaryPackagePurpose: 'FILE' },
    };
  });
  const references = new Set(packages.flatMap(({ license }) => license?.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []));
  return sortedJson({
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: guest.version === '' ? guest.name : `${guest.name}-${guest.version}`,
    documentNamespace: `urn:uuid:${uuid}`,
    creationInfo: { created, creators: [`Tool: ${tool.name}-${tool.version}`] },
    documentDescribes: ['SPDXRef-Guest'],
    packages: [
      {
        ...blank('SPDXRef-Guest', guest.name),
        ...(guest.version === '' ? {} : { versionInfo: guest.version }),
        ...(files.length === 0
          ? {}
          : {
              filesAnalyzed: true,
              licenseInfoFromFiles: ['NOASSERTION'],
              packageVerificationCode: { packageVerificationCodeValue: verificationCode(sums) },
            }),
        primaryPackagePurpose: 'OPERATING_SYSTEM',
      },
      ...packages.map((one, i) => ({
        ...blank(ids[i]!, one.name),
        versionInfo: one.version,
        ...(one.sha256 === undefined ? {} : { checksums: checksums(one.sha256) }),
        licenseDeclared: one.license ?? 'NOASSERTION',
        ...(one.maintainer === undefined ? {} : { supplier: `Organization: ${one.maintainer}` }),
        ...(one.summary === undefined ? {} : { summary: one.summary }),
        ...(one.homepage !== undefined && URL.canParse(one.homepage) ? { homepage: one.homepage } : {}),
        comment: one.reason,
        externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: one.purl }],
      })),
      ...given,
    ],
    ...(listed.length === 0 ? {} : { files: listed }),
    ...(references.size === 0
      ? {}
      : {
          hasExtractedLicensingInfos: [...references].sort().map((licenseId) => ({
            licenseId,
            name: licenseId.slice('LicenseRef-'.length),
            extractedText: 'the text is in the copyright file of the packages that have this licence',
          })),
        }),
    relationships,
  });
}

async function sha1Of(content: Content): Promise<string> {
  const hash = createHash('sha1');
  for await (const piece of content.open()) hash.update(piece);
  return hash.digest('hex');
}

/** SPDX 2.3, 7.9: the SHA-1 of the sorted digests of all files. */
function verificationCode(sums: readonly string[]): string {
  return createHash('sha1')
    .update([...sums].sort().join(''))
    .digest('hex');
}

/** An element without a statement about its licence and origin. */
function blank(SPDXID: string, name: string) {
  return {
    ...{ SPDXID, name, downloadLocation: 'NOASSERTION', filesAnalyzed: false },
    ...{ licenseConcluded: 'NOASSERTION', licenseDeclared: 'NOASSERTION', copyrightText: 'NOASSERTION' },
  };
}

/** An identifier: letters, digits, dots and dashes. */
function idOf(text: string): string {
  return `SPDXRef-${text.replace(/[^A-Za-z0-9.-]/g, '-')}`;
}

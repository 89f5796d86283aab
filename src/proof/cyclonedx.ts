import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import type { Bill } from './bill.ts';

/** A bill as CycloneDX 1.6 in JSON. */
export function cyclonedx(bill: Bill): string {
  const { guest, epoch, uuid, packages, inputs, files, tool } = bill;
  const bom = new Models.Bom({ version: 1, serialNumber: `urn:uuid:${uuid}` });
  bom.metadata.timestamp = new Date(epoch * 1000);
  bom.metadata.tools.components.add(
    new Models.Component(Enums.ComponentType.Application, tool.name, { version: tool.version, bomRef: 'tool' }),
  );
  const root = new Models.Component(Enums.ComponentType.OperatingSystem, guest.name, {
    version: guest.version === '' ? undefined : guest.version,
    ...{ bomRef: 'guest', purl: guest.purl },
  });
  bom.metadata.component = root;
  const components = packages.map((one) => {
    const component = new Models.Component(Enums.ComponentType.Library, one.name, {
      // cdxgen’s validator takes encoded references for mistakes
      ...{ version: one.version, bomRef: decodeURIComponent(one.purl), purl: one.purl },
      description: one.summary,
      ...(one.sha256 === undefined ? {} : { hashes: sha256(one.sha256) }),
      ...(one.maintainer === undefined ? {} : { supplier: new Models.OrganizationalEntity({ name: one.maintainer }) }),
      licenses: new Models.LicenseRepository(
        one.license === undefined ? [] : [new Models.LicenseExpression(one.license)],
      ),
      ...(one.homepage !== undefined && URL.canParse(one.homepage)
        ? {
            externalReferences: new Models.ExternalReferenceRepository([
              new Models.ExternalReference(one.homepage, Enums.ExternalReferenceType.Website),
            ]),
          }
        : {}),
      properties: new Models.PropertyRepository([new Models.Property('osbuilder:reason', one.reason)]),
    });
    bom.components.add(component);
    root.dependencies.add(component.bomRef);
    return component;
  });
  for (const [i, { dependsOn }] of packages.entries())
    for (const other of dependsOn) components[i]!.dependencies.add(components[other]!.bomRef);
  for (const [i, { setting, name, sha256: digest }] of inputs.entries())
    bom.components.add(
      new Models.Component(Enums.ComponentType.File, name, {
        ...{ bomRef: `input-${i}`, hashes: sha256(digest) },
        properties: new Models.PropertyRepository([new Models.Property('osbuilder:setting', setting)]),
      }),
    );
  for (const { path, sha256: digest, package: owner } of files)
    bom.components.add(
      new Models.Component(Enums.ComponentType.File, path, {
        ...{ bomRef: `file:${path}`, hashes: sha256(digest) },
        ...(owner === undefined
          ? {}
          : {
              properties: new Models.PropertyRepository([
                new Models.Property('osbuilder:package', packages[owner]!.name),
              ]),
            }),
      }),
    );
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  const document = JSON.parse(serializer.serialize(bom, { sortLists: true })) as {
    dependencies?: { ref: string; dependsOn?: string[] }[];
  };
  // the list may be left out where it is empty, and cdxgen's validator cannot read that
  for (const one of document.dependencies ?? []) one.dependsOn ??= [];
  return `${JSON.stringify(document, null, 2)}\n`;
}

function sha256(hex: string): Models.HashDictionary {
  return new Models.HashDictionary([[Enums.HashAlgorithm['SHA-256'], hex]]);
}

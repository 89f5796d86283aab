import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseDeb822, type Stanza } from '../../../src/families/apt/deb822.ts';
import { PackageIndex, type PackageList } from '../../../src/families/apt/packages-index.ts';
import { tableOfStanzas } from '../../../src/families/apt/packages-parse.ts';
import { PackagesTable } from '../../../src/families/apt/packages-table.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { data, needs } from '../../support/data.ts';

const SCENARIO = 'deb/edsp/edsp-ubuntu-bug-1974196';
const EXPECTED = 'deb/edsp/edsp-ubuntu-bug-1974196.expected.json';

/** A scenario of apt's external dependency solver protocol: one list for each pin. */
function scenario(stanzas: readonly Stanza[], architecture: string): PackageIndex {
  const pins = [...new Set(stanzas.map((stanza) => Number(stanza.get('APT-Pin'))))].sort((a, b) => b - a);
  const lists = pins.map((priority): PackageList => {
    const rows = stanzas
      .filter((stanza) => Number(stanza.get('APT-Pin')) === priority)
      .map((stanza) => ({ stanza, size: 0, sha256: '', filename: stanza.get('APT-ID')! }));
    const table = new PackagesTable(tableOfStanzas(rows, 'scenario'));
    return { table, bases: [], suite: `pin ${priority}`, codename: '', origin: '', priority };
  });
  return new PackageIndex(architecture, lists);
}

test('an EDSP scenario with installed packages: upgrades as apt expects them', {
  skip: needs({ data: [SCENARIO, EXPECTED] }),
}, () => {
  const [request, ...stanzas] = parseDeb822(readFileSync(data(SCENARIO), 'utf8'), SCENARIO);
  assert.equal(request!.get('Request'), 'EDSP 0.5');
  const index = scenario(stanzas, request!.get('Architecture')!);
  const installed = stanzas
    .filter((stanza) => stanza.get('Installed') === 'yes')
    .map((stanza) => ({ name: stanza.get('Package')!, version: stanza.get('Version')! }));
  assert.ok(installed.length > 500);
  const { packages, removed } = resolve(request!.get('Install')!.split(' '), index, { installed, recommends: true });
  const expected = JSON.parse(readFileSync(data(EXPECTED), 'utf8')) as {
    action: string;
    id: string;
    package: string;
    version: string;
  }[];
  assert.ok(expected.every(({ action }) => action === 'Install'));
  assert.deepEqual(
    packages.map((one) => `${one.package.name} ${one.package.version} ${one.package.urls[0]}`).sort(),
    expected.map((one) => `${one.package.replace(/:.*/, '')} ${one.version} ${one.id}`).sort(),
  );
  assert.deepEqual(removed, []);
});

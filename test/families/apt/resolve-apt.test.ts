import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError } from '../../../src/errors/error.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { parsePackages } from '../../../src/families/apt/packages-parse.ts';
import { PackagesTable } from '../../../src/families/apt/packages-table.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { verifyClosure } from '../../../src/families/apt/resolver/verify.ts';
import { needs, temporary } from '../../support/data.ts';
import { randomCase } from './universe.ts';

const FIRST = 1000;
const WORLDS = 200;

/** One repository with many random cases, distinguished by their names; no Essential, which would join them. */
function repository(): { text: string; requests: Map<number, string[]> } {
  const requests = new Map<number, string[]>();
  let text = '';
  for (let seed = FIRST; seed < FIRST + WORLDS; seed++) {
    const { entries, requests: requested } = randomCase(seed);
    const own = (part: string) => part.replace(/\b([pv])(\d+)\b/g, `w${seed}$1$2`);
    for (const entry of entries) {
      const [head, ...fields] = entry.split('\n');
      const [name, version] = head!.split(' ');
      const sha = Buffer.from(`${seed} ${name} ${version}`).toString('hex').padEnd(64, '0');
      const kept = fields.map((field) => `${field.trim()}\n`).filter((field) => !field.startsWith('Essential'));
      text += own(
        `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: x\nDescription: x\nFilename: ${name}_${version}.deb\nSize: 1\n${kept.join('')}`,
      );
      text += `SHA256: ${sha}\n\n`;
    }
    const plain = requested.filter((request) => !request.startsWith('?')).map(own);
    if (plain.length > 0) requests.set(seed, plain);
  }
  return { text, requests };
}

test('random cases: apt chooses the same packages', { skip: needs({ tools: ['apt-get'] }) }, async (t) => {
  const folder = temporary(t);
  for (const path of ['etc/apt.conf.d', 'etc/preferences.d', 'state/lists/partial', 'cache/archives/partial', 'repo'])
    mkdirSync(join(folder, path), { recursive: true });
  const { text, requests } = repository();
  writeFileSync(join(folder, 'repo/Packages'), text);
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'etc/sources.list'), `deb [trusted=yes] file:${folder}/repo ./\n`);
  const settings = [
    `Dir::State "${folder}/state";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
    `Dir::Etc "${folder}/etc";`,
    `Dir::Etc::Parts "${folder}/etc/apt.conf.d";`,
    'Dir::Etc::main "/dev/null";',
    'APT::Architecture "amd64";',
    'APT::Architectures { "amd64"; };',
    'APT::Sandbox::User "";',
    'APT::Solver "internal";',
  ];
  writeFileSync(join(folder, 'apt.conf'), settings.join('\n'));
  const env = { ...process.env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C' };
  const apt = (...args: string[]): { failed: boolean; output: string } => {
    try {
      return {
        failed: false,
        output: execFileSync('apt-get', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
      };
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return { failed: true, output: `${stdout}${stderr}` };
    }
  };
  const [, major, minor] = /apt (\d+)\.(\d+)/.exec(apt('--version').output) ?? [];
  // version 3 brought another solver, and before 2.5 siblings and conflicts were handled differently
  if (Number(major) !== 2 || Number(minor) < 5) return t.skip(`apt ${major}.${minor} decides otherwise`);
  assert.equal(apt('update').failed, false);

  const table = new PackagesTable(
    await parsePackages(
      (async function* () {
        yield Buffer.from(text);
      })(),
      'cases',
    ),
  );
  const index = new PackageIndex('amd64', [
    { table, bases: [], suite: 'cases', codename: '', origin: '', priority: 500 },
  ]);
  const count = { same: 0, rejected: 0, unordered: 0, better: 0 };
  for (const [seed, request] of requests) {
    const recommends = seed % 3 === 0;
    const { failed, output } = apt('-s', 'install', '-o', `APT::Install-Recommends=${recommends}`, ...request);
    const title = `case ${seed}: ${request.join(' ')}`;
    let chosen: string[] | undefined;
    try {
      const { packages } = resolve(request, index, { recommends });
      assert.deepEqual(verifyClosure(packages.map((one) => one.package)), [], title);
      chosen = packages.map((one) => `${one.package.name} ${one.package.version}`).sort();
    } catch (error) {
      assert.ok(error instanceof BuildError, `${title}: ${String(error)}`);
    }
    if (!failed) {
      const requested = [...output.matchAll(/^Inst (\S+?)(?::\S+)? \((\S+)/gm)]
        .map((found) => `${found[1]} ${found[2]}`)
        .sort();
      assert.deepEqual(chosen, requested, title);
      count.same++;
    } else if (chosen === undefined) count.rejected++;
    else if (output.includes('Resolve generated breaks')) count.better++;
    else {
      // apt chose packages and then found no order because of cycles of Pre-Depends; none is needed here, since nothing is run
      assert.match(
        output,
        /[Cc]onfigure|Conf Broken|MaxLoopCount|SmartUnPack/,
        `${title}: ${chosen.join(', ')}\n${output}`,
      );
      count.unordered++;
    }
  }
  t.diagnostic(
    `${count.same} the same, ${count.rejected} rejected by both, ${count.unordered} chosen by both that apt cannot put in order, ${count.better} solved by us alone`,
  );
  assert.ok(count.same >= 40 && count.rejected >= 40 && count.better <= 2);
});

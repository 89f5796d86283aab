import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { yamlValues } from '../../src/commands/config.ts';
import { sharded, shardOf } from '../../src/commands/shard.ts';
import { BuildError } from '../../src/errors/error.ts';
import { guestsOf, hasGuests, sharedValues } from '../../src/settings/guests.ts';

/** Config files with several guests: what each is, and mistakes in them. */

const parsed = (text: string) => yamlValues(text, (reason) => new Error(reason));
const guests = async (text: string) => guestsOf('osbuilder.yaml', await parsed(text));

test('each guest has the shared settings, its own before them, and the values of its cell', async () => {
  const found = await guests(`
distro: debian
extra-pkgs: [jq]
agent: agents/{arch}/kata-agent
matrix:
  os-version: [bookworm, trixie]
  arch: [x86_64, aarch64]
  exclude:
    - {os-version: bookworm, arch: aarch64}
guests:
  base:
    image: out/{guest}.img
  gpu:
    os-version: sid
    extra-pkgs: [pciutils, "x{arch}"]
    image: out/{os-version}/{guest}.img
    remove: ["/usr/share/{doc,man}"]
  plain:
    matrix: {}
    arch: s390x
`);
  assert.deepEqual(
    found.map(({ name }) => name),
    ['base-bookworm-x86_64', 'base-trixie-x86_64', 'base-trixie-aarch64', 'gpu-x86_64', 'gpu-aarch64', 'plain'],
  );
  assert.deepEqual(found[2]!.values, {
    ...{ distro: 'debian', 'extra-pkgs': ['jq'], agent: 'agents/aarch64/kata-agent' },
    ...{ image: 'out/base-trixie-aarch64.img', 'os-version': 'trixie', arch: 'aarch64' },
  });
  assert.deepEqual(found[2]!.cell, { 'os-version': 'trixie', arch: 'aarch64' });
  assert.deepEqual(found[3]!.values, {
    ...{ distro: 'debian', 'extra-pkgs': ['pciutils', 'xx86_64'], agent: 'agents/x86_64/kata-agent' },
    ...{ 'os-version': 'sid', image: 'out/sid/gpu-x86_64.img', remove: ['/usr/share/{doc,man}'], arch: 'x86_64' },
  });
  assert.equal(found[5]!.values['agent'], 'agents/s390x/kata-agent');
});

test('a matrix alone is as many guests; numbers keep their spelling; without either there are none', async () => {
  const found = await guests('distro: alpine\nmatrix: {os-version: [3.20, 3.19], agent-init: [yes]}\n');
  assert.deepEqual(
    found.map(({ name }) => name),
    ['3.20-yes', '3.19-yes'],
  );
  assert.equal(hasGuests(await parsed('distro: debian')), false);
  assert.deepEqual(sharedValues(await parsed('distro: debian\nguests: {a: {}}\nmatrix: {arch: [x86_64]}')), {
    distro: 'debian',
  });
});

const MISTAKES: readonly (readonly [text: string, said: RegExp])[] = [
  ['guests: []', /guests: expected a mapping/],
  ['guests: {}', /guests: expected a mapping/],
  ['guests: 3', /guests: expected a mapping/],
  ['guests: {"a/b": {}}', /the name "a\/b"/],
  ['guests: {"..": {}}', /the name "\.\."/],
  ['guests: {a: 3}', /a: expected a mapping/],
  ['guests: {a: {guests: {b: {}}}}', /cannot have guests/],
  ['matrix: [x86_64]', /matrix: expected a mapping/],
  ['matrix: {arhc: [x86_64]}', /unknown setting "arhc"; did you mean "arch"/],
  ['matrix: {arch: x86_64}', /arch: expected a list/],
  ['matrix: {arch: []}', /arch: expected a list/],
  ['matrix: {arch: [[x86_64]]}', /arch: expected a list/],
  ['matrix: {arch: [x86_64, x86_64]}', /a value is there twice/],
  ['matrix: {arch: [x86_64], exclude: 3}', /exclude: expected a list/],
  ['matrix: {arch: [x86_64], exclude: [3]}', /exclude: expected a mapping/],
  ['matrix: {arch: [x86_64], exclude: [{distro: debian}]}', /the matrix has no distro/],
  ['matrix: {arch: [x86_64], exclude: [{arch: s390x}]}', /arch has no value "s390x"/],
  ['guests: {a: {image: "{arch}.img"}}', /"\{arch\}\.img": the guest sets no arch/],
  ['image: x.img\nguests: {a: {}, b: {}}', /a and b both write x\.img; put \{guest\}/],
  ['guests: {a: {rootfs: out/}, b: {rootfs: out}}', /a and b both write out;/],
  ['push: "oci:layout:1"\nguests: {a: {}, b: {}}', /push: the guests a and b both write oci:layout:1;/],
  ['guests: {a-x86_64: {}, a: {matrix: {arch: [x86_64]}}}', /two guests have the name "a-x86_64"/],
  [
    `matrix: {${['arch', 'os-version', 'distro', 'packages', 'agent'].map((axis) => `${axis}: [${Array.from({ length: 10 }, (_, i) => i)}]`).join(', ')}}`,
    /more than 10000 guests/,
  ],
];

for (const [text, said] of MISTAKES)
  test(`an error that says what and where: ${text.slice(0, 70).replace('\n', ' ')}`, async () => {
    await assert.rejects(guests(text), (error) => {
      assert.ok(error instanceof BuildError && error.code === 'CONFIG_INVALID', String(error));
      assert.match(error.message, /^osbuilder\.yaml: /);
      assert.match(error.message, said);
      return true;
    });
  });

test('any values end in guests or an error with a code', () => {
  const key = fc.constantFrom('guests', 'matrix', 'exclude', 'arch', 'a', 'b', '__proto__', 'image', 'toString');
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('x', '{guest}', '{arch}', 3, true, null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(key, tie('any'), { maxKeys: 4 }),
    ),
  })).any;
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 4 }), (values) => {
      try {
        for (const { name } of guestsOf('f', values)) assert.equal(typeof name, 'string');
      } catch (error) {
        assert.ok(error instanceof BuildError && error.code === 'CONFIG_INVALID', String(error));
      }
    }),
    { numRuns: 500, seed: 3 },
  );
});

test('every guest is in one shard, however many there are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 60 }), (many, count) => {
      const list = Array.from({ length: many }, (_, i) => i);
      const parts = Array.from({ length: count }, (_, i) => sharded(list, shardOf(`${i + 1}/${count}`, {})));
      assert.deepEqual(
        parts.flat().sort((a, b) => a - b),
        list,
      );
      const sizes = parts.map((part) => part.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
  );
});

test('auto is the part that the engine gives', () => {
  const cases: readonly (readonly [Record<string, string>, number, number])[] = [
    [{ SLURM_ARRAY_TASK_ID: '3', SLURM_ARRAY_TASK_COUNT: '8' }, 3, 8],
    [{ SLURM_ARRAY_TASK_ID: '3', SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MIN: '1' }, 2, 4],
    [
      { SLURM_ARRAY_TASK_ID: '8', SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MIN: '2', SLURM_ARRAY_TASK_STEP: '2' },
      3,
      4,
    ],
    [{ JOB_COMPLETION_INDEX: '0', OSBUILDER_SHARDS: '5' }, 0, 5],
    [{ CI_NODE_INDEX: '1', CI_NODE_TOTAL: '3' }, 0, 3],
  ];
  for (const [environment, index, count] of cases) assert.deepEqual(shardOf('auto', environment), { index, count });
  const wrong: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    // nonsense is named, whichever variable has it, and no other engine's variables are taken instead
    ...['SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_TASK_COUNT', 'SLURM_ARRAY_TASK_MIN', 'SLURM_ARRAY_TASK_STEP'].flatMap(
      (name) =>
        ['x', '-1', '1.5', '1e3', '9'.repeat(20)].map((value): [string, Record<string, string>, RegExp] => [
          'auto',
          {
            SLURM_ARRAY_TASK_ID: '1',
            SLURM_ARRAY_TASK_COUNT: '2',
            CI_NODE_INDEX: '1',
            CI_NODE_TOTAL: '2',
            [name]: value,
          },
          new RegExp(`\\$${name} is "${value}"`),
        ]),
    ),
    [
      'auto',
      { JOB_COMPLETION_INDEX: 'abc', CI_NODE_INDEX: '1', CI_NODE_TOTAL: '2' },
      /\$JOB_COMPLETION_INDEX is "abc"/,
    ],
    ['auto', { JOB_COMPLETION_INDEX: '0', OSBUILDER_SHARDS: 'all' }, /\$OSBUILDER_SHARDS is "all"/],
    ['auto', { SLURM_ARRAY_TASK_ID: '', JOB_COMPLETION_INDEX: '' }, /none of/],
    ['auto', {}, /none of \$SLURM_ARRAY_TASK_ID/],
    ['auto', { JOB_COMPLETION_INDEX: '0' }, /not how many there are/],
    ['auto', { CI_NODE_INDEX: '4', CI_NODE_TOTAL: '3' }, /no part 4 of 3/],
    ['auto', { SLURM_ARRAY_TASK_ID: '3', SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_TASK_STEP: '2' }, /no part/],
    ['0/3', {}, /no part 0 of 3/],
    ['4/3', {}, /no part 4 of 3/],
    ['1/0', {}, /no part 1 of 0/],
    ['2', {}, /expected I\/N/],
    ['', {}, /expected I\/N/],
  ];
  for (const [text, environment, said] of wrong)
    assert.throws(
      () => shardOf(text, environment),
      (error) => {
        assert.ok(error instanceof BuildError && error.code === 'USAGE', String(error));
        assert.match(error.message, said);
        return true;
      },
    );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from '../support/data.ts';
import { keptInputs } from './fuzz.ts';
import { mutated } from './mutate.ts';
import { TARGETS } from './targets.ts';
import { faultOf } from './worker.ts';

/** Inputs that have no form at all. */
function nonsense(): Uint8Array[] {
  const { below } = random(7);
  return [
    new Uint8Array(0),
    new Uint8Array(1),
    new Uint8Array(4096),
    new Uint8Array(4096).fill(0xff),
    Buffer.from('\n'.repeat(300)),
    Buffer.from('('.repeat(300)),
    Buffer.from(': '.repeat(300)),
    Buffer.from('9'.repeat(300)),
    Uint8Array.from({ length: 3000 }, () => below(256)),
  ];
}

for (const [name, target] of Object.entries(TARGETS)) {
  test(`nonsense for ${name}: an error of this program, or none`, async () => {
    for (const [i, input] of nonsense().entries()) assert.equal(await faultOf(name, input), undefined, `input ${i}`);
  });

  test(`seeds of ${name} are read, and their changes never end in an internal error`, async () => {
    const seeds = [...(await target.seeds()), ...keptInputs(name)];
    assert.ok(seeds.length > 0);
    for (let round = 0; round < 60; round++)
      assert.equal(await faultOf(name, mutated(seeds, 1, round)), undefined, `seed 1, round ${round}`);
  });
}

test('the same seed makes the same inputs', async () => {
  const seeds = await TARGETS['tar']!.seeds();
  for (let round = 0; round < 20; round++) assert.deepEqual(mutated(seeds, 5, round), mutated(seeds, 5, round));
  assert.notDeepEqual(mutated(seeds, 5, 10), mutated(seeds, 6, 10));
});

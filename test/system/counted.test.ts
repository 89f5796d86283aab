import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../../src/events/events.ts';
import { debianContext } from '../../src/families/apt/architecture.ts';
import { debianCommands } from '../../src/families/apt/commands/commands.ts';
import { Debconf } from '../../src/families/apt/configure/debconf.ts';
import { LIMITS } from '../../src/shell/limits.ts';
import { runScript } from '../../src/shell/run.ts';
import { smallSystem } from '../support/postinst.ts';

const context = debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report: silent });

/** Runs a script with Debian's commands: its steps, or the code of the limit that ended it. */
function steps(script: string, limit = LIMITS.steps): number | string {
  const tree = smallSystem();
  const commands = debianCommands({
    ...{ tree, context, debconf: new Debconf(), package: 'thing' },
    known: () => undefined,
    packages: () => [],
    trigger: () => {},
    leaveOut: () => {},
  });
  const result = runScript(script, { tree, name: 's', time: 0, commands, limits: { ...LIMITS, steps: limit } });
  return result.error?.code ?? result.steps;
}

/** Commands that rewrite a file which grows with each call; `$i` is the number of the call. */
const GROWING = [
  'useradd u$i',
  'groupadd g$i',
  'adduser --system s$i',
  'addgroup a$i',
  'dpkg-divert --add /usr/bin/d$i',
  'dpkg-statoverride --add root root 644 /etc/o$i',
  'ucfr thing /etc/u$i',
  'add-shell /bin/s$i',
];

for (const command of GROWING) {
  const loop = (n: number) => `i=0; while [ $i -lt ${n} ]; do ${command} >/dev/null 2>&1; i=$((i+1)); done`;
  test(`${command}: what it reads is counted`, () => {
    const [small, large] = [steps(loop(40)), steps(loop(160))];
    assert.ok(typeof small === 'number' && typeof large === 'number', `${small} and ${large}`);
    // each call reads what all before have written
    const plain = Number(steps(loop(160).replace(command, ':')));
    assert.ok(
      large - plain > 5 * (small - plain / 4),
      `${small} steps for 40 calls, ${large} for 160, ${plain} without`,
    );
    assert.equal(steps(loop(1e9), 40_000), 'SCRIPT_STEPS');
  });
}

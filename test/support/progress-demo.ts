/** Draws a bar on the terminal until a key is pressed: for the test of the bar in a real terminal. */
import { deviceOf } from '../../src/cli/device.ts';
import { Screen } from '../../src/report/screen.ts';
import { terminalReport } from '../../src/report/terminal.ts';

const report = terminalReport(new Screen(deviceOf(process.stderr, process.env)), 'normal');
const ITEM = 'out/漢字-\x1b[31m-kata-containers-initrd-with-a-long-name.img';
// before the first line: the test types when it sees one
process.stdin.setRawMode?.(true);
process.stdin.resume();
// the terminal is full, as after some work: tmux scrolls an almost empty one when it becomes narrower
for (let line = 1; line <= 60; line++) process.stderr.write(`line ${line}\n`);
report({ kind: 'phase', phase: 'plan' });
report({ kind: 'ended', phase: 'plan' });
report({ kind: 'phase', phase: 'write', bytes: 1000 * 1024 * 1024, item: ITEM });
let steps = 0;
const timer = setInterval(() => {
  steps = Math.min(steps + 1, 900);
  report({ kind: 'progress', phase: 'write', bytes: steps * 1024 * 1024, item: ITEM });
}, 50);
process.stdin.once('data', () => {
  clearInterval(timer);
  report({ kind: 'ended', phase: 'write', bytes: steps * 1024 * 1024, item: ITEM });
  process.exit();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/errors/error.ts';
import { shownError, withFlags } from '../../src/report/errors.ts';
import { printable } from '../../src/report/escape.ts';
import { Screen } from '../../src/report/screen.ts';
import { terminalReport } from '../../src/report/terminal.ts';

test('control characters never reach a terminal as they are', () => {
  assert.equal(printable('a\x1b[2Jb\x07\r\u009b\u202e\x7f'), 'a\\x1b[2Jb\\x07\\x0d\\x9b\\u202e\\x7f');
  assert.equal(printable('grüße\n\tx'), 'grüße\n\tx');
  let said = '';
  const screen = new Screen({
    write: (text: string) => void (said += text),
    terminal: false,
    columns: 80,
    now: () => 0,
  });
  const report = terminalReport(screen, 'verbose');
  const evil = 'x\x1b[31mred';
  report({ kind: 'note', message: evil });
  report({ kind: 'retried', url: evil, attempt: 1, reason: evil });
  report({ kind: 'fetched', url: evil, size: 1, cached: false });
  report({ kind: 'warning', code: 'HOOK_SKIPPED', message: evil, context: {} });
  assert.ok(!said.includes('\x1b'), JSON.stringify(said));
  assert.equal(said.split('\\x1b[31mred').length, 6);
});

test('settings that the engine names are shown as flags, or as what the user wrote', () => {
  assert.equal(withFlags('set `repoUrl` or `nothing`'), 'set --repo-url or `nothing`');
  const error = new BuildError('SETTING_INVALID', { setting: 'fsUuid', value: 'x', reason: 'y' });
  assert.match(error.message, /^`fsUuid`: /);
  assert.match(shownError(error, new Map()).message, /^--fs-uuid: /);
  const fromFlag = shownError(error, new Map([['fsUuid', { from: 'flag', name: '--fs-uuid' }]]));
  const fromVariable = shownError(error, new Map([['fsUuid', { from: 'environment', name: '$FS_UUID' }]]));
  assert.equal(fromFlag.exit, 2);
  assert.equal(fromVariable.exit, 1);
  assert.match(fromVariable.message, /^\$FS_UUID: /);
});

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockSchema } from '../../src/lock/schema.ts';
import { configSchema } from '../../src/settings/gather.ts';
import { settingsPage } from '../../src/settings/reference.ts';
import { ROOT } from '../support/data.ts';

const PAGES = {
  'docs/settings.md': settingsPage(),
  'docs/osbuilder.lock.schema.json': `${JSON.stringify(lockSchema(), null, 2)}\n`,
  'docs/osbuilder.schema.json': `${JSON.stringify(configSchema(), null, 2)}\n`,
};

for (const [path, text] of Object.entries(PAGES))
  test(`${path} says what the settings table says`, () => {
    // OSBUILDER_WRITE_DOCS=1 writes the pages after a change of the table
    if (process.env['OSBUILDER_WRITE_DOCS'] === '1') writeFileSync(join(ROOT, path), text);
    assert.equal(readFileSync(join(ROOT, path), 'utf8'), text);
  });

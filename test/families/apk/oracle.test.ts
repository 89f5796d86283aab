import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isBuildError } from '../../../src/errors/error.ts';
import { silent } from '../../../src/events/events.ts';
import { type ApkRepository, openRepository } from '../../../src/families/apk/repository.ts';
import { resolve } from '../../../src/families/apk/resolve.ts';
import { alpineKeyring } from '../../../src/families/apk/signature.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import { data, needs, temporary } from '../../support/data.ts';

/** Answers that apk-tools 2.14.0 gave for requests over the same indexes, with its order of installation. */
interface Case {
  readonly request: readonly string[];
  readonly repos: readonly string[];
  readonly arch: string;
  /** Number of errors. */
  readonly rc: number;
  readonly order: readonly string[];
  readonly result: readonly string[];
  readonly error?: readonly string[];
}

const FOLDERS: Readonly<Record<string, string>> = {
  'v3.19-iso': 'apk/alpine-3.19-x86_64-iso',
  'v3.19-main': 'apk/index/v3.19-main-x86_64',
  'v3.19-community': 'apk/index/v3.19-community-x86_64',
};

for (const name of ['v3.19-iso', 'v3.19-main', 'v3.19-main-community', 'v3.19-tagged']) {
  const file = `apk/apk-oracle-${name}.json.gz`;
  const skip = needs({ data: [file, ...Object.values(FOLDERS)] });
  describe(`answers of apk 2.14.0: ${name}`, { skip }, () => {
    const cases = existsSync(data(file))
      ? (JSON.parse(gunzipSync(readFileSync(data(file))).toString('utf8')) as { cases: Case[] }).cases
      : [];
    const opened = new Map<string, Promise<ApkRepository>>();
    const repository = (t: Parameters<typeof temporary>[0], text: string, arch: string) => {
      const [first, second] = text.split(' ') as [string, string?];
      const folder = FOLDERS[second ?? first]!;
      const source = {
        mirrors: [data(folder)],
        keyring: alpineKeyring(arch),
        ...(second === undefined ? {} : { tag: first.slice(1) }),
      };
      if (!opened.has(text))
        opened.set(text, openRepository(source, arch, new Mirror({ cache: new Cache(temporary(t)) })));
      return opened.get(text)!;
    };
    test('the same packages in the same order, and the same errors', async (t) => {
      let texts = 0;
      for (const one of cases) {
        const repositories = await Promise.all(one.repos.map((text) => repository(t, text, one.arch)));
        const label = one.request.join(' ');
        try {
          const chosen = resolve(one.request, repositories, one.arch, silent);
          assert.equal(one.rc, 0, `${label}: apk rejects`);
          const order = chosen.map(
            (c) => `${c.package.name}${c.tag === undefined ? '' : `@${c.tag}`}=${c.package.version}`,
          );
          assert.deepEqual(order, one.order, label);
          assert.deepEqual(order.sort(), [...one.result].sort(), label);
          for (const c of chosen) assert.notEqual(c.reason, 'needed', `${label}: ${c.package.name} has no reason`);
        } catch (error) {
          if (!isBuildError(error, 'APK_UNSOLVABLE')) throw error;
          assert.notEqual(one.rc, 0, `${label}: ${error.message}`);
          if (`ERROR: ${error.message}` === one.error?.join('\n')) texts++;
        }
      }
      const rejected = cases.filter((one) => one.rc !== 0).length;
      // the order of a list of users is mostly apk's
      assert.ok(texts >= rejected - 2, `${texts} of ${rejected} explanations are apk's own`);
    });
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, nearestNames } from '../../src/errors/nearest.ts';

test('the names that may have been meant, the nearest first', () => {
  const names = ['strace', 'ltrace', 'trace', 'bash', 'dash', 'ash', 'iproute2', 'openssh-server', 'zlib1g'];
  assert.deepEqual(nearestNames('starce', names), ['strace', 'ltrace', 'trace']);
  assert.deepEqual(nearestNames('iproute', names), ['iproute2']);
  assert.deepEqual(nearestNames('openssh-sever', names), ['openssh-server']);
  // of a short name every other is near: one letter is all it may differ by
  assert.deepEqual(nearestNames('bsah', names), ['bash']);
  assert.deepEqual(nearestNames('zlib', names), []);
  assert.deepEqual(nearestNames('no-such-thing', names), []);
  assert.deepEqual(nearestNames('xash', names, 2), ['ash', 'bash']);
});

test('one name is proposed in a sentence, whatever its case, and none when none is near', () => {
  assert.equal(didYouMean('Extra-pkg', ['extra-pkgs', 'packages']), '; did you mean "extra-pkgs"?');
  assert.equal(didYouMean('zzzzzz', ['extra-pkgs', 'packages']), '');
});

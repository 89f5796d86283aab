import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type DracutOptions, readOptions } from '../../src/dracut/options.ts';
import { isBuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import { needs, tool } from '../support/data.ts';

function options(text: string, flags = ''): DracutOptions & { warnings: string[] } {
  const warnings: string[] = [];
  const report = (event: Event) => {
    if (event.kind === 'warning') warnings.push(event.code);
  };
  const files = [{ path: 'c/10-x.conf', name: '10-x.conf', text }];
  return { ...readOptions(undefined, [files], flags, new Map(), report), warnings };
}

test('files are read by the version order of their names, the first folder’s of each name', () => {
  const file = (folder: string, name: string, text: string) => ({ path: `${folder}/${name}`, name, text });
  const read = readOptions(
    { path: 'dracut.conf', text: 'drivers=" z "' },
    [
      [file('a', '10-b.conf', 'drivers+=" b "'), file('a', '9-a.conf', 'drivers+=" a "'), file('a', 'x.txt', 'if')],
      [file('b', '10-b.conf', 'drivers+=" masked "'), file('b', '11-c.conf', 'drivers+=" c "')],
    ],
    '',
    new Map(),
    () => {},
  );
  assert.deepEqual(read.drivers, ['z', 'a', 'b', 'c']);
});

test('lists of the command line are added or replace, as dracut does it', () => {
  const read = options(
    'drivers=" a " \ndracutmodules+=" x "\nadd_drivers+=" b "\ninstall_items+=" /i "\nomit_drivers+=" o "',
    '--drivers "c d" -m "y z" -m w --add-drivers e -I /j --omit-drivers p -a one --add two',
  );
  assert.deepEqual(read.drivers, ['c', 'd']);
  assert.deepEqual(read.modules, ['y', 'z', 'w']);
  assert.deepEqual(read.addDrivers, ['b', 'e']);
  assert.deepEqual(read.installItems, ['/i', '/j']);
  assert.deepEqual(read.omitDrivers, ['o', 'p']);
  assert.deepEqual(read.addModules, ['one', 'two']);
});

test('a variable that nobody sets matters only where the value does', () => {
  // as Debian has it from dracut 112 on, where no kernel is asked for
  assert.deepEqual(options('initrdname="initrd.img-${kernel}"').warnings, ['DRACUT_OPTION_UNUSED']);
  for (const text of ['install_items+=" /lib/modules/$kernel "', 'compress="$kernel"', 'of_mine="$kernel"'])
    assert.throws(
      () => options(text),
      (error) => isBuildError(error, 'DRACUT_CONF_LINE') && /it uses \$kernel/.test(error.message),
      text,
    );
});

test('every dash of a driver’s name is an underscore; what is omitted is not asked for', () => {
  const read = options('drivers=" a-b-c d-e "\nomit_drivers=" d-e "\nadd_drivers=" d-e x-y "');
  assert.deepEqual([read.drivers, read.addDrivers, read.omitDrivers], [['a_b_c'], ['x_y'], ['d_e']]);
});

test('other options', () => {
  const read = options(
    '',
    '--no-kernel --fscks "fsck.ext4" --fwdir /a:/b --kernel-cmdline "x y" --kver 6.1 --include a /b',
  );
  assert.equal(read.noKernel, true);
  assert.deepEqual(read.fscks, ['fsck.ext4']);
  assert.deepEqual(read.firmwareFolders, ['/a', '/b']);
  assert.equal(read.kernelCommandLine, 'x y');
  assert.equal(read.release, '6.1');
  assert.deepEqual(read.includes, [{ source: 'a', target: '/b' }]);
  assert.equal(options('', 'out.img 6.2.0').release, '6.2.0');
  assert.deepEqual(options('nofscks="yes"').fscks, []);
  assert.equal(options('dracutmodules=" auto "').modules, undefined);
});

/** Options that are an error, by text of a file or of the command line. */
const REJECTED: readonly (readonly [text: string, flags: string, what: RegExp])[] = [
  ['hostonly="yes"', '', /c\/10-x\.conf:1: hostonly="yes": it describes the build machine/],
  ['hostonly_cmdline="yes"', '', /build machine/],
  ['hostonly_mode="strict"', '', /build machine/],
  ['use_fstab="yes"', '', /build machine/],
  ['add_device+=" /dev/sda "', '', /build machine/],
  ['early_microcode="yes"', '', /no microcode/],
  ['compress="bzip2"', '', /expected gzip, zstd/],
  ['compress="/usr/bin/own --flag"', '', /expected gzip/],
  ['uefi="yes"', '', /not by UEFI/],
  ['kernel_image="x"', '', /UEFI/],
  ['sshkey="x"', '', /no SSH/],
  ['squash_compress="x"', '', /packed twice/],
  ['prefix="/run/x"', '', /where programs look/],
  ['', '-H', /build machine/],
  ['', '--confdir x', /dracutConfDir/],
  ['', '--sysroot /x', /name it with `sysroot`/],
  ['', '--nonsense', /no such option/],
  ['', '--ad x', /may be --add or --add-drivers/],
  ['', '--modulse x', /did you mean "--modules"/],
  ['', '-fz', /^.*-z.*no such option/],
  ['', '--rebuild x', /name the options of that image/],
  ['', '--list-modules', /"osbuilder modules" lists them/],
  ['', '--add', /needs a value/],
  ['', '--include a', /needs a source and a target/],
  ['', '--no-kernel=x', /takes no value/],
  ['', 'a 6.1 c', /too many/],
  ['', '--bzip2', /expected gzip/],
];

test('words are understood as getopt does', () => {
  const read = options('', '-fNm "a b" -ac --omit=d --kernel-cmd x -vvI /e --kver=6.1 -- out.img');
  assert.deepEqual(read.modules, ['a', 'b']);
  assert.deepEqual(read.addModules, ['c']);
  assert.deepEqual(read.omitModules, ['d']);
  assert.equal(read.kernelCommandLine, 'x');
  assert.deepEqual(read.installItems, ['/e']);
  assert.equal(read.release, '6.1');
  assert.equal(options('', '--kernel-only --no-kernel').kernelOnly, false);
  assert.equal(options('', '--no-kernel --kernel-only').noKernel, false);
});

test('every option of dracut’s own command line is known', { skip: needs({ tools: ['dracut'] }) }, () => {
  const script = readFileSync(tool('dracut')!, 'latin1');
  const long = [...script.matchAll(/--long ([a-z0-9-]+)(:?)/g)];
  assert.ok(long.length > 80, `${long.length} options`);
  const short = /-o "([A-Za-z:]+)"/.exec(script)![1]!.matchAll(/([A-Za-z])(:?)/g);
  const all = [...long.map(([, name, value]) => [`--${name}`, value]), ...[...short].map(([, a, v]) => [`-${a}`, v])];
  for (const [name, value] of all) {
    const given = value === '' ? '' : ' gzip';
    try {
      options('', `${name}${given}`);
    } catch (error) {
      assert.ok(isBuildError(error, 'DRACUT_OPTION'), String(error));
      assert.doesNotMatch(error.message, /no such option|needs a value|takes no value|too many/, name);
    }
    // an option with a value says so
    if (value !== '') assert.throws(() => options('', name), /needs a value|name it|name the|not run|machine/, name);
  }
});

for (const [text, flags, what] of REJECTED)
  test(`rejected: ${text}${flags}`, () =>
    assert.throws(
      () => options(text, flags),
      (error) => isBuildError(error, 'DRACUT_OPTION') && what.test(error.message),
    ));

test('what has no effect is said; unknown names are a warning, private ones are not', () => {
  assert.deepEqual(options('do_strip="yes"').warnings, ['DRACUT_OPTION_UNUSED']);
  assert.deepEqual(options('', '--profile --keep --printsize').warnings, Array(3).fill('DRACUT_OPTION_UNUSED'));
  assert.deepEqual(options('do_strip="no"\nhostonly="no"\nreproducible="yes"\nearly_microcode="no"').warnings, []);
  assert.deepEqual(options('compress="zstd -19 -T0"').warnings, ['DRACUT_OPTION_UNUSED']);
  assert.deepEqual(options('add_driver+=" x "\nMY_OWN=1\n_x=2').warnings, ['DRACUT_OPTION_UNKNOWN']);
  assert.deepEqual(options('add_drivers+="x"').warnings, ['DRACUT_CONF_SPACES']);
});

import { deepEqual, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { memory } from '../../../../src/bytes/content.ts';
import type { KnownPackage } from '../../../../src/families/apt/commands/binding.ts';
import { Interpreter } from '../../../../src/families/apt/commands/interpreter.ts';
import { Debconf } from '../../../../src/families/apt/configure/debconf.ts';
import type { UnpackedDeb } from '../../../../src/families/apt/unpack.ts';
import type { ScriptletRun } from '../../../../src/system/scriptlet.ts';
import { data, needs, temporary } from '../../../support/data.ts';
import { downloadDebs, emptyTree, inOrder, openDebs, WIDE_MORE } from '../../../support/wide.ts';

const SCRIPTS = 'debian-configure/wide-maintscripts.tar.xz';
const TRACES = 'debian-configure/wide-traces.tar.xz';
const ORDER = 'debian-configure/trixie.configure-order.txt';
const REQUIRED = 'debian-configure/trixie.packages.tsv';

/** Commands that change something, or query debconf. */
const EFFECTS = new Set(
  `mkdir chmod chown chgrp ln cp mv rm rmdir touch install tee deb-systemd-helper deb-systemd-invoke systemctl update-rc.d
  invoke-rc.d update-alternatives adduser addgroup useradd usermod groupadd gpasswd chfn chsh shadowconfig systemd-sysusers
  systemd-tmpfiles systemd-hwdb udevadm journalctl dpkg-divert dpkg-statoverride dpkg-maintscript-helper dpkg-trigger ucf
  ucfr setcap ldconfig update-ca-certificates pam-auth-update update-shells add-shell py3compile update-initramfs db_set
  db_fset db_input db_get db_go db_subst`.split(/\s+/),
);

/** Packages whose sequence differs, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'ca-certificates': 'traced before its trigger ran a second time',
  'exim4-config': 'asks the host for its name, and exim itself for the form of its file',
  ifupdown: 'unpacked here after a package that brings the folder it would make: this test has no unpacking order',
  'open-iscsi': 'would make an initiator name, which is never made at build time',
};

function effects(trace: string): string {
  return trace
    .split('\n')
    .filter((line) => line.startsWith('+ '))
    .map((line) => line.slice(2).replace(/\s+/g, ' ').trim())
    .filter((line) => EFFECTS.has(line.split(' ')[0]!.split('/').pop()!))
    .filter((line) => !/--(list|truename)\b/.test(line))
    .map((line) =>
      line
        .replace(/\b(vm|localhost)\b/g, 'HOST')
        .replace(/\/tmp\/[\w.]+/g, '/tmp/X')
        .replace(/tmp\.\w+/g, 'tmp.X'),
    )
    .join('\n');
}

test('the wide set: effects as traced, nearly all scripts followed completely', {
  skip: needs({ data: [SCRIPTS, TRACES, ORDER, REQUIRED], tools: ['tar', 'xz', 'apt-get'] }),
}, async (t) => {
  const folder = temporary(t);
  const unpack = (path: string, name: string) => {
    mkdirSync(join(folder, name));
    execFileSync('tar', ['-xJf', data(path), '-C', join(folder, name)]);
    return new Map(
      readdirSync(join(folder, name)).map((file) => [
        file.replace(/:\w+\./, '.'),
        readFileSync(join(folder, name, file)),
      ]),
    );
  };
  const scripts = unpack(SCRIPTS, 'scripts');
  const traces = unpack(TRACES, 'traces');
  const names = [
    ...new Set(
      [...scripts.keys()]
        .filter((file) => /\.(preinst|postinst|config)$/.test(file))
        .map((file) => file.replace(/\.\w+$/, '')),
    ),
  ];
  const base = readFileSync(data(REQUIRED), 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter((row) => row[0]);
  const debs = downloadDebs('wide-trixie', 'trixie', [...new Set([...names, ...base.map((row) => row[0]!)])]);
  const more = downloadDebs('wide-trixie-more', 'trixie', WIDE_MORE);
  if (debs === undefined || more === undefined) return t.skip('the packages cannot be downloaded here');

  const { tree, context, installation } = emptyTree();
  const packages = inOrder(await openDebs([join(debs, 'debs'), join(more, 'debs')]));
  const order = readFileSync(data(ORDER), 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/[\s(:]+/)[0]!);
  const required = new Set(
    base.filter((row) => row[3] === 'required' || /^(lib|gcc|perl|init)/.test(row[0]!)).map((row) => row[0]!),
  );
  const traced = new Set([...traces.keys()].map((file) => file.replace(/\.\w+$/, '')));
  // required packages were configured before tracing started
  const first = packages.filter(
    ({ package: { name } }) => required.has(name) && !traced.has(name) && order.includes(name),
  );
  first.sort((a, b) => order.indexOf(a.package.name) - order.indexOf(b.package.name));
  const groups = [first, packages.filter((one) => !first.includes(one))];
  installation.mergeUsr(packages);

  const known = new Map<string, KnownPackage>();
  const interpreter = new Interpreter({
    tree,
    context,
    debconf: new Debconf(),
    trace: true,
    known: (name) => known.get(name),
    packages: () => known.values(),
  });
  const runs = new Map<string, ScriptletRun[]>();
  const run = (one: UnpackedDeb, script: 'preinst' | 'postinst') => {
    const { name } = one.package;
    const control = new Map(one.control);
    for (const file of ['preinst', 'postinst', 'config', 'templates']) {
      const text = scripts.get(`${name}.${file}`);
      if (text !== undefined) control.set(file, { mode: 0o755, content: memory(new Uint8Array(text)) });
    }
    const text = (file: string) => Buffer.from(control.get(file)?.content.readSync() ?? []).toString('latin1');
    const calls = [script === 'preinst' ? ['install'] : ['configure', '']];
    const interests = [...text('triggers').matchAll(/^interest\S*\s+(\S+)/gm)].map((match) => match[1]!);
    if (script === 'postinst' && interests.length > 0 && text('postinst').includes('triggered'))
      calls.push(['triggered', interests.join(' ')]);
    for (const args of calls) {
      const done = interpreter.interpret({ ...one, control }, script, args);
      if (done !== undefined) runs.set(`${name}.${script}`, [...(runs.get(`${name}.${script}`) ?? []), done]);
    }
  };
  for (const group of groups) {
    for (const one of group) {
      run(one, 'preinst');
      installation.add(one);
      const { name, version, architecture } = one.package;
      const files = () => one.entries.map((entry) => entry.path.replace(/^\./, '').replace(/\/$/, '') || '/.');
      known.set(name, {
        name,
        version,
        architecture,
        status: 'installed',
        files,
        controlFiles: () => [],
        field: () => undefined,
      });
    }
    for (const one of group) run(one, 'postinst');
  }

  const different = new Set<string>();
  for (const [file, trace] of traces) {
    if (!/\.(preinst|postinst)$/.test(file)) continue;
    const text = trace.toString('latin1');
    const replaced = text.indexOf('+ exec /usr/share/debconf/frontend');
    const traced = effects(replaced < 0 ? text : text.slice(text.indexOf('\n', replaced)));
    const each = (runs.get(file) ?? []).map((one) => effects(one.stderr));
    // a trace contains the runs that took place: configuration, trigger, or both
    const joined = (...parts: readonly (string | undefined)[]) =>
      parts.filter((part) => part !== undefined && part !== '').join('\n');
    const [a, b] = each;
    if (![a, b, joined(a, b), joined(a, b, b)].includes(traced)) different.add(file.replace(/\.\w+$/, ''));
  }
  const partial = new Map<string, string>();
  for (const [file, done] of runs)
    for (const { outcome } of done)
      if (outcome.kind !== 'whole')
        partial.set(
          file.replace(/\.\w+$/, ''),
          `${outcome.kind} ${JSON.stringify('lines' in outcome ? outcome.lines : [])}`,
        );
  const followed = new Set([...runs.keys()].map((file) => file.replace(/\.\w+$/, '')));
  t.diagnostic(
    `${traced.size - different.size} of ${traced.size} traced packages agree; ${followed.size - partial.size} of ${followed.size} are followed whole`,
  );
  for (const [name, why] of partial) t.diagnostic(`${name}: ${why}`);
  deepEqual([...different].sort(), Object.keys(DIFFERENT).sort());
  deepEqual([...partial.keys()], []);
  ok(traced.size - different.size >= 135);
  ok(followed.size >= 159);
});

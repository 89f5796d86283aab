import type { Call, Command, Options } from '../../../shell/command.ts';
import { compilePattern, matches } from '../../../shell/pattern.ts';
import { Accounts } from '../../../system/accounts.ts';
import { idIn, withOptions } from '../../../system/commands/binding.ts';
import {
  addDiversion,
  type Diversion,
  diversions,
  divertedBy,
  removeDiversion,
  trueName,
} from '../configure/diversions.ts';
import { addStatOverride, removeStatOverride, statOverrides } from '../configure/overrides.ts';
import type { DebianWorld } from './binding.ts';
import { DPKG_FOLDERS } from './dpkg-query.ts';

/** dpkg-divert(1). */
export function dpkgDivert(world: DebianWorld): Command {
  const { tree, context } = world;
  const run = (call: Call, given: Options): number => {
    const path = given.operands[0];
    if (given.has('list')) return listDiversions(world, call, given.operands);
    if (path === undefined) return call.fail('needs a single argument', 2);
    if (given.has('truename')) {
      call.out(`${trueName(tree, path)}\n`);
      return 0;
    }
    if (given.has('listpackage')) {
      const owner = divertedBy(tree, path);
      if (owner !== undefined) call.out(`${owner}\n`);
      return 0;
    }
    if (given.has('test')) return 0;
    const owner = given.has('local') ? ':' : (given.last('package') ?? world.package);
    const to = given.last('divert');
    const rename = given.has('rename');
    if (given.has('remove')) {
      const removed = { from: path, package: owner, ...(to === undefined ? {} : { to }) };
      return removeDiversion(tree, context, removed, rename) ? 0 : call.fail(`mismatch on ${path}`, 2);
    }
    const added = addDiversion(tree, context, { from: path, to: to ?? `${path}.distrib`, package: owner }, rename);
    return added ? 0 : call.fail(`'${path}' is diverted elsewhere already`, 2);
  };
  return withOptions(
    '',
    'add remove list listpackage truename package= local divert= rename no-rename quiet test admindir= instdir= root=',
    run,
    DPKG_FOLDERS,
  );
}

function listDiversions({ tree }: DebianWorld, call: Call, operands: readonly string[]): number {
  const patterns = (operands.length === 0 ? ['*'] : operands).map((pattern) => compilePattern(pattern));
  const text = ({ from, to, package: owner }: Diversion) =>
    owner === ':' ? `local diversion of ${from} to ${to}\n` : `diversion of ${from} to ${to} by ${owner}\n`;
  for (const one of diversions(tree))
    if (patterns.some((pattern) => matches(pattern, one.from, call.shell.budget))) call.out(text(one));
  return 0;
}

/** dpkg-statoverride(1). */
export function dpkgStatoverride(world: DebianWorld): Command {
  const { tree, context } = world;
  const run = (call: Call, given: Options): number => {
    if (given.has('list')) return listOverrides(world, call, given.operands);
    if (given.has('add')) return addOverride(world, call, given);
    if (given.has('remove')) return removeStatOverride(tree, context, given.operands[0] ?? '') ? 0 : 2;
    return call.fail('need an action option', 2);
  };
  return withOptions(
    '',
    'add remove list update quiet force force-all force-statoverride-add force-statoverride-remove admindir= instdir= root=',
    run,
    DPKG_FOLDERS,
  );
}

function listOverrides({ tree }: DebianWorld, call: Call, operands: readonly string[]): number {
  const patterns = operands.length === 0 ? ['*'] : operands;
  const found = statOverrides(tree).filter((one) =>
    patterns.some(
      (pattern) =>
        one.path === pattern.replace(/(.)\/+$/, '$1') || matches(compilePattern(pattern), one.path, call.shell.budget),
    ),
  );
  for (const one of found) call.out(`${one.user} ${one.group} ${one.mode} ${one.path}\n`);
  return found.length > 0 ? 0 : 1;
}

function addOverride({ tree, context }: DebianWorld, call: Call, given: Options): number {
  const [user = '', group = '', mode = '', path = ''] = given.operands;
  if (!/^[0-7]{1,5}$/.test(mode)) return call.fail(`invalid mode '${mode}'`, 2);
  // a number is stored only where it has no name
  const accounts = new Accounts(tree, context);
  const named = (text: string, of: (id: number) => { readonly name: string } | undefined) => {
    const id = text.startsWith('#') ? idIn(text.slice(1)) : undefined;
    return id === undefined ? text : (of(id)?.name ?? text);
  };
  const override = {
    user: named(user, (id) => accounts.userById(id)),
    group: named(group, (id) => accounts.groupById(id)),
    mode: mode.replace(/^0+(?=.)/, ''),
    path,
  };
  if ([...given.values.keys()].some((key) => key.startsWith('force'))) removeStatOverride(tree, context, path);
  return addStatOverride(tree, context, override, given.has('update'))
    ? 0
    : call.fail(`an override for '${path}' already exists`, 2);
}

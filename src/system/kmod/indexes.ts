import { type Report, warning } from '../../events/events.ts';
import { IndexEntries, moduleIndex } from '../../formats/kmod/index-write.ts';
import type { KernelModule } from '../../formats/kmod/module.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { AliasFile, normalAlias } from './alias-file.ts';
import type { ReadModules } from './depmod.ts';
import { moduleName } from './find.ts';
import type { KmodGeneration } from './version.ts';

/**
 * The files that depmod(8) writes, by name, byte for byte as the given generation of kmod. `tree` has the files of the
 * kernel that are their source: modules.builtin, modules.builtin.modinfo.
 */
export function moduleIndexes(
  tree: Tree,
  set: ReadModules,
  generation: KmodGeneration,
  report?: Report,
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (name: string, lines: readonly string[]) =>
    files.set(name, Buffer.from(lines.length === 0 ? '' : `${lines.join('\n')}\n`, 'latin1'));
  const index = (name: string, entries: IndexEntries) => files.set(name, moduleIndex(entries, generation.order));
  /** For the first key of an index that cannot be one. */
  const skipped = (name: string) => {
    let said = false;
    return (key: string) => {
      if (!said)
        report?.(warning('MODULE_KEY_SKIPPED', { file: `/${display(`${set.folder}/${name}`)}`, key: display(key) }));
      said = true;
    };
  };
  const { modules } = set;

  const lines: string[] = [];
  const deps = new IndexEntries();
  const oddName = skipped('modules.dep.bin');
  for (const { path, name, closure, index: priority } of modules) {
    const line = closure.length === 0 ? `${path}:` : `${path}: ${closure.map((one) => one.path).join(' ')}`;
    lines.push(line);
    if (!deps.add(name, deps.value(line), priority)) oddName(name);
  }
  text('modules.dep', lines);
  index('modules.dep.bin', deps);

  const aliases = new AliasFile('# Aliases extracted from modules themselves.\n');
  const oddAlias = skipped('modules.alias.bin');
  const soft: string[] = [];
  const weak: string[] = [];
  const devices: string[] = [];
  for (const one of modules) {
    const { name, facts } = one;
    if (facts === undefined) continue;
    // most modules have only aliases: the search of a string is fast, and a list of all facts is not made
    const info = facts.infoText();
    aliases.addModule(one, info, oddAlias);
    if (info.includes('softdep=')) for (const value of facts.values('softdep')) soft.push(`softdep ${name} ${value}`);
    if (info.includes('weakdep=')) for (const value of facts.values('weakdep')) weak.push(`weakdep ${name} ${value}`);
    const device = info.includes('alias=devname:') ? deviceOf(name, facts) : undefined;
    if (device !== undefined) devices.push(device);
  }
  files.set('modules.alias', aliases.text());
  index('modules.alias.bin', aliases.entries);

  text('modules.softdep', ['# Soft dependencies extracted from modules themselves.', ...soft]);
  if (generation.weakdep) text('modules.weakdep', ['# Weak dependencies extracted from modules themselves.', ...weak]);

  const symbols = new AliasFile('# Aliases for symbols, used by symbol_request().\n');
  const oddSymbol = skipped('modules.symbols.bin');
  for (const [name, owner] of set.symbols.inOrder()) symbols.addSymbol(owner, name, oddSymbol);
  files.set('modules.symbols', symbols.text());
  index('modules.symbols.bin', symbols.entries);

  const small = (name: string, keys: Iterable<readonly [key: string, value: string]>) => {
    const entries = new IndexEntries();
    const odd = skipped(name);
    for (const [key, value] of keys) if (!entries.add(key, entries.value(value), 0)) odd(key);
    index(name, entries);
  };
  const builtin = tree.text(`${set.folder}/modules.builtin`);
  if (builtin === undefined) files.set('modules.builtin.bin', new Uint8Array(0));
  else
    small(
      'modules.builtin.bin',
      builtinNames(builtin).map((key) => [key, '']),
    );
  const modinfo = tree.text(`${set.folder}/modules.builtin.modinfo`);
  if (modinfo === undefined) files.set('modules.builtin.alias.bin', new Uint8Array(0));
  else
    small(
      'modules.builtin.alias.bin',
      builtinInfo(modinfo).flatMap(({ module, key, value }) => {
        const alias = key === 'alias' && value !== '' ? normalAlias(value) : undefined;
        return alias === undefined ? [] : [[alias, module] as const];
      }),
    );

  text(
    'modules.devname',
    devices.length === 0 ? [] : ['# Device nodes to trigger on-demand module loading.', ...devices],
  );
  return files;
}

/** Names of the modules in modules.builtin, as written there, also those of lines that come twice. */
export function builtinNames(text: string): string[] {
  const rows = text.split('\n');
  const last = rows.pop();
  const lines = rows.map((line) => `${line}\n`);
  if (last !== undefined && last !== '') lines.push(last);
  return lines.filter((line) => /^[A-Za-z]/.test(line)).map(moduleName);
}

/** modules.builtin.modinfo: strings `MODULE.KEY=VALUE`, each ended by NUL. */
export function builtinInfo(text: string): { module: string; key: string; value: string }[] {
  const found: { module: string; key: string; value: string }[] = [];
  for (const string of text.split('\0')) {
    const dot = string.indexOf('.');
    const equals = string.indexOf('=', dot + 1);
    if (dot <= 0 || equals < 0) continue;
    found.push({
      module: string.slice(0, dot),
      key: string.slice(dot + 1, equals),
      value: string.slice(equals + 1),
    });
  }
  return found;
}

/** A line of modules.devname: the node that loads a module when it is opened. */
function deviceOf(name: string, facts: KernelModule): string | undefined {
  let node: string | undefined;
  let numbers: string | undefined;
  for (const value of facts.values('alias')) {
    if (value.startsWith('devname:')) node = value.slice('devname:'.length);
    else {
      const match = /^(char|block)-major-\s*\+?(\d+)-\s*\+?(\d+)/.exec(value);
      if (match !== null) numbers = `${match[1]![0]}${Number(match[2])}:${Number(match[3])}`;
    }
    if (node !== undefined && numbers !== undefined) return `${name} ${node} ${numbers}`;
  }
  return undefined;
}

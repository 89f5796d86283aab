import { type Call, type Command, options } from '../../../shell/command.ts';
import { compilePattern, matches } from '../../../shell/pattern.ts';
import { Accounts } from '../../../system/accounts.ts';
import {
  autoAlternative,
  currentChoice,
  installAlternative,
  readGroup,
  removeAlternative,
  setAlternative,
} from '../../../system/alternatives.ts';
import { addDiversion, diversions, divertedBy, removeDiversion, trueName } from '../configure/diversions.ts';
import { addStatOverride, removeStatOverride, statOverrides } from '../configure/overrides.ts';
import { ucf, ucfPurge, ucfRegister } from '../configure/ucf.ts';
import { compareVersions, versionFault } from '../version.ts';
import type { CommandTable, DebianWorld, KnownPackage } from './binding.ts';

/** The value of an empty version, by operator: dpkg(1), `--compare-versions`. */
function compareForScripts(a: string, operator: string, b: string): boolean | undefined {
  const nl = operator.endsWith('-nl');
  const by = ((): number => {
    if (a === '' && b === '') return 0;
    // empty is earlier than any version, or later with the -nl forms
    if (a === '') return nl ? 1 : -1;
    if (b === '') return nl ? -1 : 1;
    return compareVersions(a, b);
  })();
  switch (operator.replace('-nl', '')) {
    case 'lt':
    case '<<':
      return by < 0;
    case 'le':
    case '<':
    case '<=':
      return by <= 0;
    case 'eq':
    case '=':
      return by === 0;
    case 'ne':
      return by !== 0;
    case 'ge':
    case '>':
    case '>=':
      return by >= 0;
    case 'gt':
    case '>>':
      return by > 0;
    default:
      return undefined;
  }
}

/** Formats of `dpkg-query -W` and `-l`; braces enclose a field's name. */
const SHOW = ['$', '{binary:Package}\\t$', '{Version}\\n'].join('');
const LIST = ['ii  $', '{binary:Package} $', '{Version} $', '{Architecture}\\n'].join('');

/** dpkg and its helpers. */
export function dpkgCommands(world: DebianWorld): CommandTable {
  const { tree, context } = world;

  const known = (pattern: string): KnownPackage[] => {
    const name = pattern.replace(/:[a-z0-9-]+$/, '');
    if (!/[*?[]/.test(name)) {
      const found = world.known(name);
      return found === undefined ? [] : [found];
    }
    return [...world.packages()].sort((a, b) => (a.name < b.name ? -1 : 1));
  };

  /** `dpkg-query -W` and the query modes of dpkg. */
  const query = (call: Call, action: string, operands: readonly string[], format: string): number => {
    const patterns = action === 'show' && operands.length === 0 ? ['*'] : operands;
    let status = 0;
    for (const pattern of patterns) {
      const found = known(pattern).filter(
        (one) => !/[*?[]/.test(pattern) || matches(compilePattern(pattern), one.name, call.shell.budget),
      );
      if (found.length === 0) {
        call.complain(
          action === 'status' ? `package '${pattern}' is not installed` : `no packages found matching ${pattern}`,
        );
        status = 1;
      }
      for (const one of found) {
        if (action === 'files') call.out(`${one.files().join('\n')}\n`);
        else if (action === 'status') {
          call.out(
            `Package: ${one.name}\nStatus: install ok ${one.status}\nArchitecture: ${one.architecture}\nVersion: ${one.version}\n`,
          );
        } else call.out(formatPackage(one, format));
      }
    }
    return status;
  };

  const dpkgQuery: Command = (call) => {
    const given = options(
      call.args,
      'lsWSLf:p',
      'list status show search listfiles print-avail showformat= admindir= root= control-path control-show control-list load-avail no-pager',
    );
    const format = given.last('f', 'showformat') ?? SHOW;
    if (given.has('S', 'search')) return search(call, given.operands);
    if (given.has('L', 'listfiles')) return query(call, 'files', given.operands, '');
    if (given.has('s', 'status')) return query(call, 'status', given.operands, '');
    if (given.has('l', 'list')) return query(call, 'show', given.operands, LIST);
    if (given.has('control-list')) return world.known(given.operands[0] ?? '') === undefined ? 1 : 0;
    if (given.has('control-path')) {
      const path = `/var/lib/dpkg/info/${given.operands[0]}.${given.operands[1]}`;
      if (tree.has(path)) call.out(`${path}\n`);
      return 0;
    }
    return query(call, 'show', given.operands, format);
  };

  const search = (call: Call, operands: readonly string[]): number => {
    let status = 0;
    for (const pattern of operands) {
      const compiled = /[*?[]/.test(pattern)
        ? compilePattern(pattern)
        : pattern.startsWith('/')
          ? undefined
          : compilePattern(`*${pattern}*`);
      let any = false;
      for (const one of world.packages())
        for (const path of one.files()) {
          if (compiled === undefined ? path !== pattern : !matches(compiled, path, call.shell.budget)) continue;
          call.out(`${one.name}: ${path}\n`);
          any = true;
        }
      if (!any) {
        call.complain(`no path found matching pattern ${pattern}`);
        status = 1;
      }
    }
    return status;
  };

  const dpkg: Command = (call) => {
    const args = call.args.filter((arg) => !/^--(root|admindir|instdir|force-.*|no-pager)=?/.test(arg));
    const [action = '', ...rest] = args;
    switch (action) {
      case '--compare-versions': {
        const [a = '', operator = '', b = ''] = rest;
        const yes = compareForScripts(a, operator, b);
        if (yes === undefined) return call.fail(`--compare-versions bad relation '${operator}'`, 2);
        return yes ? 0 : 1;
      }
      case '--validate-version':
        return versionFault(rest[0] ?? '') === undefined ? 0 : 1;
      case '--print-architecture':
        call.out(`${context.architecture}\n`);
        return 0;
      case '--print-foreign-architectures':
        return 0;
      case '--assert-support-predepends':
      case '--assert-working-epoch':
      case '--assert-long-filenames':
      case '--assert-multi-conrep':
      case '--assert-multi-arch':
      case '--assert-versioned-provides':
      case '--assert-protected-field':
        return 0;
      case '--version':
        call.out(
          `Debian 'dpkg' package management program version ${world.known('dpkg')?.version ?? '1.22'} (${context.architecture}).\n`,
        );
        return 0;
      case '-L':
      case '--listfiles':
        return query(call, 'files', rest, '');
      case '-s':
      case '--status':
        return query(call, 'status', rest, '');
      case '-l':
      case '--list':
        return query(call, 'show', rest, LIST);
      case '-S':
      case '--search':
        return search(call, rest);
      case '--audit':
      case '-C':
      case '--get-selections':
      case '--set-selections':
        return 0;
      default:
        // running a package manager inside a package's script is not supported
        return call.fail(`${action}: not possible while a guest is built`, 2);
    }
  };

  const divert: Command = (call) => {
    const given = options(
      call.args,
      'h',
      'add remove list listpackage truename package= local divert= rename no-rename quiet test admindir= instdir= root=',
    );
    const path = given.operands[0];
    if (given.has('list')) {
      const patterns = given.operands.length === 0 ? ['*'] : given.operands;
      for (const one of diversions(tree))
        if (patterns.some((pattern) => matches(compilePattern(pattern), one.from, call.shell.budget)))
          call.out(
            `${one.package === ':' ? 'local diversion' : 'diversion'} of ${one.from} to ${one.to}${one.package === ':' ? '' : ` by ${one.package}`}\n`,
          );
      return 0;
    }
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
    const owner = given.has('local') ? ':' : (given.last('package') ?? world.package);
    const to = given.last('divert');
    if (given.has('test')) return 0;
    if (given.has('remove')) {
      const diversion = {
        from: path,
        ...(to === undefined ? {} : { to }),
        package: owner,
      };
      return removeDiversion(tree, context, diversion, given.has('rename')) ? 0 : call.fail(`mismatch on ${path}`, 2);
    }
    const added = addDiversion(
      tree,
      context,
      { from: path, to: to ?? `${path}.distrib`, package: owner },
      given.has('rename'),
    );
    return added ? 0 : call.fail(`'${path}' is diverted elsewhere already`, 2);
  };

  const statoverride: Command = (call) => {
    const given = options(
      call.args,
      'h',
      'add remove list update quiet force force-all force-statoverride-add force-statoverride-remove admindir= instdir= root=',
    );
    if (given.has('list')) {
      const patterns = given.operands.length === 0 ? ['*'] : given.operands;
      const found = statOverrides(tree).filter((one) =>
        patterns.some(
          (pattern) =>
            one.path === pattern.replace(/(.)\/+$/, '$1') ||
            matches(compilePattern(pattern), one.path, call.shell.budget),
        ),
      );
      for (const one of found) call.out(`${one.user} ${one.group} ${one.mode} ${one.path}\n`);
      return found.length > 0 ? 0 : 1;
    }
    if (given.has('add')) {
      const [user = '', group = '', mode = '', path = ''] = given.operands;
      // a number is stored only where it has no name
      const accounts = new Accounts(tree, context);
      const named = (text: string, of: (id: number) => { readonly name: string } | undefined) =>
        /^#[0-9]+$/.test(text) ? (of(Number(text.slice(1)))?.name ?? text) : text;
      const override = {
        user: named(user, (id) => accounts.userById(id)),
        group: named(group, (id) => accounts.groupById(id)),
        mode: mode.replace(/^0+(?=.)/, ''),
        path,
      };
      const forced = [...given.values.keys()].some((key) => key.startsWith('force'));
      if (forced) removeStatOverride(tree, context, path);
      return addStatOverride(tree, context, override, given.has('update'))
        ? 0
        : call.fail(`an override for '${path}' already exists`, 2);
    }
    if (given.has('remove')) return removeStatOverride(tree, context, given.operands[0] ?? '') ? 0 : 2;
    return call.fail('need an action option', 2);
  };

  const alternatives: Command = (call) => {
    const args = call.args.filter((arg) => !/^--(quiet|verbose|debug|force|skip-auto|no-.*)$/.test(arg));
    const clean: string[] = [];
    for (let i = 0; i < args.length; i++) {
      if (/^--(altdir|admindir|instdir|root|log)$/.test(args[i]!)) i++;
      else clean.push(args[i]!);
    }
    const at = clean.findIndex((arg) =>
      /^--(install|set|auto|remove|remove-all|display|query|list|config|get-selections|set-selections|all)$/.test(arg),
    );
    if (at < 0) return call.fail('need --display, --query, --list, --install, --remove, --set or --auto', 2);
    const action = clean[at]!;
    const rest = clean.slice(at + 1);
    const [a = '', b = '', path = '', priority = ''] = rest;
    const group = readGroup(tree, a);
    switch (action) {
      case '--install': {
        const slaves: { link: string; name: string; path: string }[] = [];
        const all = [...clean.slice(0, at), ...rest.slice(4)];
        for (let i = 0; i < all.length; i++) {
          if (all[i] !== '--slave') continue;
          slaves.push({ link: all[i + 1] ?? '', name: all[i + 2] ?? '', path: all[i + 3] ?? '' });
          i += 3;
        }
        if (!a.startsWith('/') || !path.startsWith('/') || !/^-?[0-9]+$/.test(priority))
          return call.fail('--install needs <link> <name> <path> <priority>', 2);
        const done = installAlternative(tree, context, { link: a, name: b, path, priority: Number(priority), slaves });
        return done ? 0 : call.fail(`alternative path ${path} doesn't exist`, 2);
      }
      case '--set':
        return setAlternative(tree, context, a, b) ? 0 : call.fail(`alternative ${b} for ${a} not registered`, 2);
      case '--auto':
        return autoAlternative(tree, context, a) ? 0 : call.fail(`no alternatives for ${a}`, 2);
      case '--remove':
        removeAlternative(tree, context, a, b);
        return 0;
      case '--remove-all':
        if (group === undefined) return call.fail(`no alternatives for ${a}`, 2);
        for (const choice of [...(group?.choices ?? [])]) removeAlternative(tree, context, a, choice.path);
        return 0;
      case '--config':
        return 0;
      case '--list':
        if (group === undefined) return 2;
        for (const choice of group.choices) call.out(`${choice.path}\n`);
        return 0;
      case '--query':
      case '--display': {
        if (group === undefined) return call.fail(`no alternatives for ${a}`, 2);
        const value = currentChoice(tree, a) ?? 'none';
        if (action === '--query') {
          call.out(`Name: ${a}\nLink: ${group.link}\nStatus: ${group.status}\nValue: ${value}\n`);
          for (const choice of group.choices) call.out(`\nAlternative: ${choice.path}\nPriority: ${choice.priority}\n`);
        } else {
          call.out(`${a} - ${group.status} mode\n  link currently points to ${value}\n`);
          for (const choice of group.choices) call.out(`${choice.path} - priority ${choice.priority}\n`);
        }
        return 0;
      }
      default:
        return 0;
    }
  };

  const ucfCommand: Command = (call) => {
    const given = options(
      call.args,
      'hnd::s:pvPZ',
      'help no-action debug=? src-dir= purge verbose debconf-ok debconf-template= three-way sum-file= state-dir= package=',
    );
    const [source = '', destination = ''] = given.operands;
    if (given.has('p', 'purge')) {
      ucfPurge(tree, context, source);
      return 0;
    }
    if (!tree.has(source)) return call.fail(`The new file ${source} does not exist`);
    ucf(tree, context, source, destination, { threeWay: given.has('three-way') });
    return 0;
  };

  const ucfr: Command = (call) => {
    const given = options(call.args, 'hnd::pfvP', 'help no-action debug=? purge force verbose state-dir=');
    const [owner = '', destination = ''] = given.operands;
    if (!given.has('p', 'purge')) ucfRegister(tree, context, owner, destination);
    return 0;
  };

  const ucfq: Command = (call) => {
    const given = options(call.args, 'hd::wvP', 'help debug=? with-colons state-dir=');
    const registry = tree.text('var/lib/ucf/registry')?.split('\n') ?? [];
    const hashes = tree.text('var/lib/ucf/hashfile')?.split('\n') ?? [];
    if (!given.has('w', 'with-colons')) return 0;
    for (const path of given.operands.filter((one) => one.startsWith('/'))) {
      const owner =
        registry.find((line) => line.endsWith(` ${path}`) || line.endsWith(`\t${path}`))?.split(/[ \t]/)[0] ?? '';
      const kept = hashes.some((line) => line.endsWith(` ${path}`));
      call.out(`${path}:${owner}:${tree.has(path) ? 'Yes' : 'No'}:No\n`.replace(/:No\n$/, kept ? ':No\n' : ':\n'));
    }
    return 0;
  };

  return {
    dpkg,
    'dpkg-divert': divert,
    // an installation from scratch has nothing to move or remove; `supports` is true of all its commands
    'dpkg-maintscript-helper': () => 0,
    'dpkg-query': dpkgQuery,
    'dpkg-statoverride': statoverride,
    'dpkg-trigger': (call) => {
      const given = options(call.args, 'h', 'by-package= await no-await no-act check-supported admindir= root=');
      if (!given.has('no-act', 'check-supported')) for (const name of given.operands) world.trigger(name);
      return 0;
    },
    ucf: ucfCommand,
    ucfq,
    ucfr,
    'update-alternatives': alternatives,
  };
}

/** `dpkg-query`'s format: `${Field}`, `${Field;width}`, with `\n` and `\t`. */
function formatPackage(one: KnownPackage, format: string): string {
  return format
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replace(/\$\{([^};]+)(?:;(-?[0-9]{1,4}))?\}/g, (_, name: string, width: string | undefined) => {
      const fields: Record<string, string> = {
        Package: one.name,
        'binary:Package': one.field('Multi-Arch') === 'same' ? `${one.name}:${one.architecture}` : one.name,
        Version: one.version,
        Architecture: one.architecture,
        Status: `install ok ${one.status}`,
        'db:Status-Abbrev': one.status === 'installed' ? 'ii ' : one.status === 'unpacked' ? 'iU ' : 'iF ',
        'db:Status-Status': one.status,
        'db:Status-Want': 'install',
        'db:Status-Eflag': 'ok',
      };
      const value = fields[name] ?? one.field(name) ?? '';
      const size = Number(width ?? 0);
      return size < 0 ? value.padEnd(-size) : value.padStart(size);
    });
}

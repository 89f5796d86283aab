import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS, type SolverRepository } from '../../../../src/families/rpm/solver/types.ts';
import { tool } from '../../../support/data.ts';

/** What dnf is asked. */
export interface DnfRequest {
  readonly wanted: readonly { readonly text: string; readonly strict: boolean }[];
  readonly without: readonly string[];
  readonly weak: boolean;
  readonly best: boolean;
}

/** `name-evr.arch@repository` of each package, or why there is no answer. */
export type DnfAnswer = { readonly packages: readonly string[] } | { readonly error: string };

const SIGNS: Readonly<Record<number, string>> = { 1: 'GT', 2: 'EQ', 3: 'GE', 4: 'LT', 6: 'LE' };

const xml = (text: string) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function evrAttributes(evr: string): string {
  const [, epoch, version, release] = /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/.exec(evr)!;
  return `epoch="${epoch ?? 0}" ver="${xml(version!)}"${release === undefined ? '' : ` rel="${xml(release)}"`}`;
}

/** Writes a repository's metadata in the form that createrepo_c gives it. */
export function writeRepository(folder: string, { packages, name }: SolverRepository): void {
  const { texts, relations, dependencies, files } = packages;
  const entries: string[] = [];
  for (let row = 0; row < packages.name.length; row++) {
    const lists = KINDS.map((kind) => {
      const { starts, items } = dependencies[kind];
      let inside = '';
      for (let i = starts[row]!; i < starts[row + 1]!; i++) {
        const relation = items[i]!;
        const flags = relations.flags[relation]!;
        const versioned =
          flags === 0 ? '' : ` flags="${SIGNS[flags]}" ${evrAttributes(texts.get(relations.evr[relation]!))}`;
        inside += `<rpm:entry name="${xml(texts.get(relations.name[relation]!))}"${versioned}/>`;
      }
      return inside === '' ? '' : `<rpm:${kind}>${inside}</rpm:${kind}>`;
    });
    let paths = '';
    for (let i = files.starts[row]!; i < files.starts[row + 1]!; i++)
      paths += `<file>${texts.get(files.items[i]!)}</file>`;
    const digest = createHash('sha256').update(`${name} ${row}`).digest('hex');
    entries.push(
      `<package type="rpm"><name>${xml(texts.get(packages.name[row]!))}</name><arch>${texts.get(packages.arch[row]!)}</arch>` +
        `<version ${evrAttributes(texts.get(packages.evr[row]!))}/><checksum type="sha256" pkgid="YES">${digest}</checksum>` +
        `<summary/><description/><packager/><url/><time file="1" build="1"/><size package="1" installed="1" archive="1"/>` +
        `<location href="${row}.rpm"/><format><rpm:license>x</rpm:license><rpm:vendor/><rpm:group/><rpm:buildhost/>` +
        `<rpm:sourcerpm/><rpm:header-range start="1" end="2"/>${lists.join('')}${paths}</format></package>`,
    );
  }
  const primary =
    '<?xml version="1.0" encoding="UTF-8"?>\n<metadata xmlns="http://linux.duke.edu/metadata/common" ' +
    `xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="${entries.length}">${entries.join('\n')}</metadata>`;
  const filelists =
    '<?xml version="1.0" encoding="UTF-8"?>\n<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="0"></filelists>';
  const data = Object.entries({ primary, filelists }).map(([type, text]) => {
    mkdirSync(join(folder, 'repodata'), { recursive: true });
    writeFileSync(join(folder, 'repodata', `${type}.xml`), text);
    const digest = createHash('sha256').update(text).digest('hex');
    return (
      `<data type="${type}"><checksum type="sha256">${digest}</checksum><location href="repodata/${type}.xml"/>` +
      `<timestamp>1</timestamp><size>${Buffer.byteLength(text)}</size></data>`
    );
  });
  writeFileSync(
    join(folder, 'repodata', 'repomd.xml'),
    `<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>${data.join('')}</repomd>`,
  );
}

/** Reads a list of jobs from standard input, asks dnf's library, prints the answers as JSON. */
const SCRIPT = `
import sys, json, os, dnf, dnf.exceptions
out = []
for pool in json.load(sys.stdin):
    os.makedirs(os.path.join(pool['root'], 'log'), exist_ok=True)
    for request in pool['requests']:
        # mostly without a cache: what is loaded from one is numbered differently, which decides the order of patterns' matches
        base = dnf.Base()
        conf = base.conf
        conf.substitutions['releasever'] = '9'
        conf.substitutions['arch'] = 'x86_64'
        conf.substitutions['basearch'] = 'x86_64'
        conf.installroot = pool['root']
        conf.cachedir = os.path.join(pool['root'], 'cache' if pool['cached'] else 'cache%d' % len(out))
        conf.persistdir = os.path.join(pool['root'], 'persist')
        conf.logdir = os.path.join(pool['root'], 'log')
        conf.best = request['best']
        conf.install_weak_deps = request['weak']
        conf.excludepkgs = request['without']
        for one in pool['repositories']:
            repo = dnf.repo.Repo(one['name'], conf)
            repo.baseurl = ['file://' + one['path']]
            repo.priority = one['priority']
            repo.cost = one['cost']
            base.repos.add(repo)
        base.fill_sack(load_system_repo=False)
        try:
            for wanted in request['wanted']:
                try:
                    base.install(wanted['text'], strict=wanted['strict'])
                except dnf.exceptions.MarkingError:
                    if wanted['strict']:
                        raise
            base.resolve()
            packages = sorted('%s@%s' % (p, p.reponame) for p in base.transaction.install_set) if base.transaction else []
            out.append({'packages': packages})
        except dnf.exceptions.Error as error:
            out.append({'error': str(error)})
        base.close()
json.dump(out, sys.stdout)
`;

/** Python that has dnf, or undefined. */
export function pythonWithDnf(): string | undefined {
  if (tool('dnf') === undefined) return undefined;
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import dnf'], { stdio: 'ignore' });
    return '/usr/bin/python3';
  } catch {
    return undefined;
  }
}

/** Repositories and what is asked of them. */
export interface DnfPool {
  readonly repositories: readonly SolverRepository[];
  readonly requests: readonly DnfRequest[];
  /** Folders that have the repositories' metadata already; it is written when left out. */
  readonly folders?: readonly string[];
}

/** dnf's answers to requests, pool after pool. */
export function askDnf(python: string, folder: string, pools: readonly DnfPool[]): DnfAnswer[] {
  const input = pools.map(({ repositories, requests, folders }, i) => ({
    root: join(folder, `root${i}`),
    cached: folders !== undefined,
    requests,
    repositories: repositories.map((one, n) => {
      const path = folders?.[n] ?? join(folder, `pool${i}`, one.name);
      if (folders === undefined) writeRepository(path, one);
      return { name: one.name, path, priority: one.priority, cost: one.cost };
    }),
  }));
  return JSON.parse(
    execFileSync(python, ['-c', SCRIPT], {
      input: JSON.stringify(input),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8' },
    }),
  ) as DnfAnswer[];
}

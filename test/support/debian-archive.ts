import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TEST_CACHE, tool } from './data.ts';

/**
 * Exact versions of Debian packages, downloaded by this machine's own apt from the archive in its sources into the
 * tests' cache. Without apt or a network the result is the reason, for the test to skip with.
 */

interface HostSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly signedBy: string | undefined;
}

/** The machine's deb822 and one-line sources that have Debian's component main. */
function hostSources(): HostSource[] {
  const found: HostSource[] = [];
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ].filter((file) => existsSync(file));
  for (const file of files) {
    const text = readFileSync(file, 'utf8').replace(/^#.*\n/gm, '');
    if (file.endsWith('.sources'))
      for (const stanza of text.split(/\n\s*\n/)) {
        const field = (name: string) => new RegExp(`^${name}:\\s*(.+)$`, 'mi').exec(stanza)?.[1]?.trim();
        const uri = field('URIs');
        if (uri !== undefined && /\bmain\b/.test(field('Components') ?? ''))
          found.push({ uri, suites: (field('Suites') ?? '').split(/\s+/), signedBy: field('Signed-By') });
      }
    else
      for (const [, , uri, suite] of text.matchAll(/^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+.*\bmain\b/gm))
        found.push({ uri: uri!, suites: [suite!], signedBy: undefined });
  }
  return found;
}

/** Paths of the packages by name, or why they are not available. */
export async function debianPackages(
  suite: string,
  wanted: readonly { readonly name: string; readonly version: string }[],
): Promise<ReadonlyMap<string, string> | string> {
  const debs = join(TEST_CACHE, suite, 'debs');
  const have = () => {
    const files = new Map<string, string>();
    for (const file of existsSync(debs) ? readdirSync(debs) : []) {
      const [name, version] = file.split('_');
      if (file.endsWith('.deb')) files.set(`${name}=${decodeURIComponent(version!)}`, join(debs, file));
    }
    return files;
  };
  const missing = (files: ReadonlyMap<string, string>) =>
    wanted.map((one) => `${one.name}=${one.version}`).filter((key) => !files.has(key));
  let files = have();
  if (missing(files).length > 0) {
    if (tool('apt-get') === undefined) return 'no apt on this machine';
    const sources = hostSources();
    const main = sources.find(
      (one) => one.suites.some((name) => /^[a-z]+$/.test(name)) && /\/debian\/?$/.test(one.uri),
    );
    const security = sources.find((one) => one.suites.some((name) => name.endsWith('-security')));
    if (main === undefined) return "this machine's apt knows no Debian archive";
    const line = (source: HostSource, name: string) =>
      `deb [signed-by=${source.signedBy ?? '/usr/share/keyrings/debian-archive-keyring.gpg'}] ${source.uri} ${name} main\n`;
    // test files run in parallel, and apt fails when its lists are locked: each has a folder of its own
    mkdirSync(debs, { recursive: true });
    const home = mkdtempSync(join(TEST_CACHE, `${suite}-`));
    const fetched = join(home, 'debs');
    for (const path of ['lists/partial', 'archives/partial', 'etc', 'debs'])
      mkdirSync(join(home, path), { recursive: true });
    writeFileSync(join(home, 'status'), '');
    writeFileSync(
      join(home, 'etc', 'sources.list'),
      line(main, suite) +
        line(main, `${suite}-updates`) +
        (security === undefined ? '' : line(security, `${suite}-security`)),
    );
    writeFileSync(
      join(home, 'apt.conf'),
      `Dir "${home}/";\nDir::Etc "etc";\nDir::Etc::sourcelist "sources.list";\nDir::Etc::sourceparts "-";\n` +
        `Dir::State "${home}";\nDir::State::lists "lists";\nDir::State::status "${home}/status";\nDir::Cache "${home}";\n` +
        'Dir::Bin::methods "/usr/lib/apt/methods";\nAPT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n' +
        'Acquire::Languages "none";\nAcquire::http::Timeout "60";\nAcquire::Retries "1";\nAPT::Sandbox::User "root";\n',
    );
    const run = promisify(execFile);
    const env = { ...process.env, APT_CONFIG: join(home, 'apt.conf'), LC_ALL: 'C' };
    try {
      await run('apt-get', ['-q', 'update'], { env, maxBuffer: 1 << 24 });
      const download = (...keys: string[]) =>
        run('apt-get', ['-q', 'download', ...keys], { env, cwd: fetched, maxBuffer: 1 << 24 });
      const keys = missing(files);
      // a package that is no longer in the archive must not make the others fail
      await download(...keys).catch(async () => {
        for (const key of keys) await download(key).catch(() => {});
      });
    } catch (error) {
      const { message, stderr } = error as Error & { stderr?: string };
      return `apt cannot reach its archive: ${/^E: .*$/m.exec(stderr ?? '')?.[0] ?? message.split('\n')[0]}`;
    } finally {
      for (const file of readdirSync(fetched))
        if (file.endsWith('.deb')) renameSync(join(fetched, file), join(debs, file));
      rmSync(home, { recursive: true, force: true });
    }
    files = have();
  }
  const gone = missing(files);
  if (gone.length > 0) return `no longer in the archive: ${gone.join(', ')}`;
  return new Map(wanted.map((one) => [one.name, files.get(`${one.name}=${one.version}`)!]));
}

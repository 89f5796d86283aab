import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where this machine's apt gets Debian's main from; undefined where it knows no such archive. Throws where there is no apt. */
export function debianSite(): string | undefined {
  const format = ['--format', '$(SITE) $(COMPONENT)', 'Created-By: Packages', 'Origin: Debian'];
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
  const text = execFileSync('apt-get', ['indextargets', ...format], { encoding: 'utf8', stdio });
  return /^(\S+) main/m.exec(text)?.[1];
}

/** Makes a folder the home of an apt of its own, with one source and nothing installed. Returns the options to run it with. */
export function aptHome(folder: string, source: string): string[] {
  for (const part of ['lists/partial', 'archives/partial', 'etc']) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'etc/sources.list'), `${source}\n`);
  writeFileSync(join(folder, 'status'), '');
  return [
    ['Dir::Etc', join(folder, 'etc')],
    ['Dir::Etc::sourcelist', 'sources.list'],
    ['Dir::Etc::sourceparts', '-'],
    ['Dir::State', folder],
    ['Dir::State::Lists', 'lists'],
    ['Dir::State::status', join(folder, 'status')],
    ['Dir::Cache', folder],
    ['APT::Architecture', 'amd64'],
    ['APT::Architectures', 'amd64'],
    ['Acquire::Languages', 'none'],
    ['APT::Sandbox::User', 'root'],
  ].map(([name, value]) => `-o${name}=${value}`);
}

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CORE_COMMANDS } from '../../src/shell/commands.ts';
import { runScript } from '../../src/shell/run.ts';
import type { Inode } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { tool } from '../support/data.ts';

/** A script of a list, with what its first lines say about it. */
export interface ListedScript {
  readonly text: string;
  /** Why ours differs on purpose; undefined when it must not. */
  readonly differs: string | undefined;
  /** The only reference program from which it differs. */
  readonly from: string | undefined;
}

/** What a script did: its status, its standard output and the folder it ran in. */
export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly tree: string;
}

/** The reference programs of a list. */
export interface Reference {
  readonly shell: 'dash' | 'bash';
  readonly awk: 'mawk' | 'gawk';
}

/**
 * Reads a list: scripts are divided by lines of `===`, or each line is one. `«a|b»` stands for each of its alternatives.
 * `#differs: REASON ## SCRIPT` is an intended difference, `#differs mawk: REASON ## SCRIPT` one from mawk only; `#prefix: TEXT` as the first line of the list comes before
 * each script.
 */
export function listed(text: string): ListedScript[] {
  const prefix = /^#prefix: (.*)\n/.exec(text);
  const body = text.slice(prefix?.[0].length ?? 0).replace(/\n$/, '');
  return body.split(/\n===\n/.test(body) ? '\n===\n' : '\n').flatMap((script) => {
    const mark = /^#differs(?: (\w+))?: (.*?)(?:\n| ## )/.exec(script);
    const own = mark === null ? script : script.slice(mark[0].length);
    return alternatives(own).map((one) => ({
      text: prefix === null ? one : `${prefix[1]}\n${one}`,
      differs: mark?.[2],
      from: mark?.[1],
    }));
  });
}

/** Every choice of the alternatives `«a|b»`, written in Latin 1 as two bytes each. */
function alternatives(text: string): string[] {
  const match = /(?:\xc2)?\xab([\s\S]*?)(?:\xc2)?\xbb/.exec(text);
  if (match === null) return [text];
  const [before, after] = [text.slice(0, match.index), text.slice(match.index + match[0].length)];
  return match[1]!.split(/(?<!\\)\|/).flatMap((one) => alternatives(before + one.replaceAll('\\|', '|') + after));
}

/** Words that run a command as root, as scripts of packages are run; undefined where that is impossible. */
export const AS_ROOT: readonly string[] | undefined =
  process.getuid?.() === 0
    ? []
    : spawnSync('unshare', ['--map-root-user', 'true']).status === 0
      ? ['unshare', '--map-root-user']
      : undefined;
/** Why scripts cannot be compared, or false. */
export const ROOTLESS = AS_ROOT === undefined ? 'not here: root, or user namespaces' : false;

/** The folder for temporary files in a script, which is one of its own for the reference. */
const TMP = /(?<![\w.])\/tmp\b/g;

const ENVIRONMENT = { HOME: '/root', LC_ALL: 'C', TZ: 'UTC' };

/** Driving processes: starting programs is most of the work, and one waits while another starts. */
const DRIVERS = 3;

/** Runs all scripts, each in a folder of its own, by a few driving processes that take turns. */
export async function reference(scripts: readonly string[], { shell, awk }: Reference): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  try {
    mkdirSync(join(folder, 'bin'));
    symlinkSync(tool(awk)!, join(folder, 'bin/awk'));
    for (const [i, text] of scripts.entries()) {
      for (const name of ['work', 'tmp']) mkdirSync(join(folder, String(i), name), { recursive: true });
      // /tmp of the host has files of other users, and of other runs
      const own = text.replaceAll(TMP, join(folder, String(i), 'tmp'));
      writeFileSync(join(folder, String(i), 'script'), own, 'latin1');
    }
    // a script without end is ended by its processor time; timeout(1) would be one more program to start
    const driver = `umask 022; ulimit -t 20; i=$1; while [ $i -lt ${scripts.length} ]; do cd "$0/$i/work"
${tool(shell)} ../script >../out 2>../err </dev/null; echo $? >../status; i=$((i+${DRIVERS})); done`;
    await Promise.all(
      Array.from({ length: DRIVERS }, (_, first) => {
        const env = { ...ENVIRONMENT, PATH: `${join(folder, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin` };
        const [command, ...words] = [...AS_ROOT!, '/bin/sh', '-c', driver, folder, String(first)];
        const child = spawn(command, words, {
          env,
          stdio: 'ignore',
          timeout: 300_000,
        });
        return once(child, 'exit');
      }),
    );
    return scripts.map((_, i) => {
      const back = (text: string) => text.replaceAll(join(folder, String(i), 'tmp'), '/tmp');
      const read = (name: string) => readFileSync(join(folder, String(i), name), 'latin1');
      const tree = back(folderText(join(folder, String(i), 'work')));
      return { status: Number(read('status')), stdout: back(read('out')), tree };
    });
  } finally {
    // scripts leave folders that only root may empty
    const [command, ...words] = [...AS_ROOT!, 'rm', '-rf', folder];
    spawnSync(command, words);
  }
}

function folderText(path: string, prefix = ''): string {
  let out = '';
  for (const name of readdirSync(path, { encoding: 'latin1' }).sort()) {
    const full = Buffer.from(`${path}/${name}`, 'latin1');
    const stat = lstatSync(full);
    const mode = (stat.mode & 0o7777).toString(8);
    // its owner may read what nobody may read only after saying so; another name of a file is looked at later
    const asUser = process.getuid?.() !== 0 && (stat.isDirectory() || stat.isFile());
    if (asUser) chmodSync(full, stat.mode | 0o700);
    const line = (kind: string, value: string) => `${prefix}${name} ${kind} ${value}\n`;
    if (stat.isDirectory()) out += line('d', mode) + folderText(`${path}/${name}`, `${prefix}${name}/`);
    else if (stat.isSymbolicLink()) out += line('l', readlinkSync(full, 'latin1'));
    else if (stat.isFile()) out += line('f', `${mode} ${JSON.stringify(readFileSync(full, 'latin1'))}`);
    else if (stat.isFIFO()) out += line('p', mode);
    else out += line('?', mode);
    if (asUser && stat.isFile()) chmodSync(full, stat.mode);
  }
  return out;
}

function treeText(inode: Inode, prefix = ''): string {
  if (inode.kind !== 'directory') return '';
  let out = '';
  for (const [name, child] of [...inode.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const mode = child.mode.toString(8);
    const line = (kind: string, value: string) => `${prefix}${name} ${kind} ${value}\n`;
    if (child.kind === 'directory') out += line('d', mode) + treeText(child, `${prefix}${name}/`);
    else if (child.kind === 'symlink') out += line('l', child.target);
    else if (child.kind === 'file')
      out += line('f', `${mode} ${JSON.stringify(Buffer.from(child.content.readSync()).toString('latin1'))}`);
    else out += line(child.kind === 'fifo' ? 'p' : '?', mode);
  }
  return out;
}

/** A small system for our side: what scripts of the lists expect outside their folder. */
export function smallSystem(): Tree {
  const tree = new Tree();
  for (const path of ['work', 'root', 'usr/bin', 'etc', 'tmp', 'dev']) tree.makeDirectory(path);
  tree.stat('tmp')!.mode = 0o1777;
  for (const name of CORE_COMMANDS.keys()) tree.writeFile(`usr/bin/${name}`, '').mode = 0o755;
  tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
  tree.writeFile('etc/group', 'root:x:0:\n');
  return tree;
}

/** Runs a script with our shell. */
export function ours(script: string, { shell, awk }: Reference): Result & { stderr: string; error: string } {
  const tree = smallSystem();
  const result = runScript(script, {
    tree,
    name: '../script',
    dialect: shell,
    cwd: '/work',
    environment: { ...ENVIRONMENT, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    time: 1_700_000_000,
  });
  void awk;
  return {
    status: result.status,
    stdout: result.stdout,
    tree: treeText(tree.stat('work')!),
    stderr: result.stderr,
    error: result.error?.message ?? '',
  };
}

/** A result as a text that a test compares. */
export function shown({ status, stdout, tree }: Result): string {
  return `status ${status}\n${stdout}\n--- tree\n${tree}`;
}

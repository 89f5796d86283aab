import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The program under test: the one that is shipped where the tests are compiled, else its source. */
export const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../src/cli/main.ts' : '../../bundle/cli/main.js', import.meta.url),
);

/** The output of a run of the program, and how it ended. */
export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run it. */
export interface RunOptions {
  /** Added to a bare environment: the developer's own settings do not reach the program. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Path of another Node. */
  readonly node?: string;
  /** Octal, set by a shell that starts the program. */
  readonly umask?: string;
  /** A command that runs the program (`unshare --uts …`). */
  readonly through?: readonly string[];
  /** Called after the start, for sending signals. */
  readonly started?: (child: ChildProcess) => void;
}

const BARE = ['PATH', 'TMPDIR', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

/** The home folder of the program, which is not there and must not be made: a test that needs a cache names one. */
const HOME = '/nonexistent';
const hadHome = existsSync(HOME);

/** Runs the program with these arguments until it ends. */
export async function osbuilder(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const env: Record<string, string> = {};
  for (const name of BARE) if (process.env[name] !== undefined) env[name] = process.env[name]!;
  const node = options.node ?? process.execPath;
  const umask = options.umask === undefined ? [] : ['/bin/sh', '-c', `umask ${options.umask}; exec "$0" "$@"`];
  const [command, ...words] = [...(options.through ?? []), ...umask, node, PROGRAM, ...args];
  const child = spawn(command!, words, {
    env: { ...env, HOME, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid ?? options.uid }),
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (piece) => out.push(piece));
  child.stderr.on('data', (piece) => err.push(piece));
  options.started?.(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (!hadHome && existsSync(HOME))
        return reject(
          new Error(`${HOME} was made, by this command or one beside it; add --cache-dir: ${args.join(' ')}`),
        );
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

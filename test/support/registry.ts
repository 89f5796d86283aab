import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A registry of Debian's package docker-registry on the loopback. */
export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Where it stores blobs. */
  readonly store: string;
  close(): Promise<void>;
}

/** How it is started. */
export interface RegistryOptions {
  /** Accept this user alone. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Speak TLS with this certificate and key (PEM files). */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Starts a registry whose files are in `folder`, on a port that is free. */
export async function startRegistry(folder: string, options: RegistryOptions = {}): Promise<TestRegistry> {
  const store = join(folder, 'store');
  mkdirSync(store, { recursive: true });
  const lines = [
    'version: 0.1',
    'log: {level: info, formatter: json, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${store}}}`,
  ];
  const tls =
    options.tls === undefined ? '' : `, tls: {certificate: ${options.tls.certificate}, key: ${options.tls.key}}`;
  lines.push(`http: {addr: '127.0.0.1:0', secret: test${tls}}`);
  if (options.login !== undefined) {
    const { user, password } = options.login;
    const file = join(folder, 'htpasswd');
    writeFileSync(file, execFileSync('htpasswd', ['-nbB', user, password]));
    lines.push(`auth: {htpasswd: {realm: test, path: ${file}}}`);
  }
  const config = join(folder, 'config.yml');
  writeFileSync(config, `${lines.join('\n')}\n`);
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const seen: string[] = [];
  const host = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      seen.push(line);
      const match = /listening on (127\.0\.0\.1:\d+)/.exec(line);
      if (match !== null) resolve(match[1]!);
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`docker-registry ended with ${code}: ${seen.join('\n')}`)));
  });
  return {
    host,
    store,
    close: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit').on('exit', () => resolve());
        child.kill();
      }),
  };
}

/** A private authority and a certificate of it for 127.0.0.1, made by openssl. */
export function privateAuthority(folder: string): {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
} {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '36500',
    '-subj',
    '/CN=test authority',
  );
  openssl('req', ...key, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=127.0.0.1');
  writeFileSync(at('server.ext'), 'subjectAltName=IP:127.0.0.1\n');
  openssl(
    ...['x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'],
    ...['-days', '36500', '-extfile', at('server.ext'), '-out', at('server.pem')],
  );
  return { authority: at('ca.pem'), certificate: at('server.pem'), key: at('server.key') };
}

/** Runs skopeo with nothing of the user's. Throws what it prints when it fails. */
export function skopeo(folder: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('skopeo', ['--insecure-policy', ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder, XDG_RUNTIME_DIR: folder, TMPDIR: folder },
  });
  if (status !== 0) throw new Error(`skopeo ${args.join(' ')}: ${stderr}`);
  return stdout;
}

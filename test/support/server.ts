/**
 * A small web server on the loopback for tests: it serves a folder and (or) files from memory, remembers what was asked,
 * and misbehaves on request.
 *
 *     const server = await serve(t, folder);                       // or { 'debian/x': bytes }
 *     server.fault('/debian/x', { cutAt: 1000, times: 1 });        // the first answer breaks off after 1000 bytes
 *     server.files.set('/debian/x', 'other bytes');                // memory goes before the folder
 *     server.requests.filter((r) => r.path === '/debian/x').map((r) => r.headers['range'])
 *
 * It answers Range and If-Range, If-None-Match and If-Modified-Since, as ordinary mirrors do, and stops with the test.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join, normalize } from 'node:path';

/** How an answer goes wrong. Without `times` it stays wrong. */
export interface Fault {
  /** How many answers are corrupted; afterwards the server works again. */
  readonly times?: number;
  /** Answer with this status and no file. */
  readonly status?: number;
  /** More answer headers (`retry-after`, …). */
  readonly headers?: Readonly<Record<string, string>>;
  /** Answer 302 to this location. */
  readonly redirect?: string;
  /** Break the connection after so many bytes of the body. */
  readonly cutAt?: number;
  /** Send so many bytes of the body, then nothing more. */
  readonly stallAt?: number;
  /** Never answer at all. */
  readonly silent?: boolean;
  /** Flip one bit of the body. */
  readonly corrupt?: boolean;
  /** Send these bytes instead, with everything else in order. */
  readonly body?: Uint8Array | string;
  /** Leave out Content-Length, so that a broken answer looks whole. */
  readonly noLength?: boolean;
  /** Answer a Range with 200 and the whole file. */
  readonly ignoreRange?: boolean;
  /** Wait for this before answering. */
  readonly wait?: () => Promise<void>;
}

/** A request as it came. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** The running server. */
export interface StaticServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly requests: Asked[];
  /** Files in memory by path (`/debian/x`); they go before those of the folder. */
  readonly files: Map<string, Uint8Array | string>;
  /** Corrupts the answers for a path (exact), until `times` are used up. A second call queues behind the first. */
  fault(path: string, fault: Fault): void;
  /** No answer is corrupted any more. */
  reset(): void;
  /** The greatest number of requests that were being answered at the same moment. */
  readonly most: number;
  close(): Promise<void>;
}

/** Serves a folder, or files by path, until the test ends. */
export async function serve(
  t: { after(fn: () => void | Promise<void>): void },
  from: string | Readonly<Record<string, Uint8Array | string>> = {},
  options: { readonly etags?: boolean; readonly dates?: boolean } = {},
): Promise<StaticServer> {
  const files = new Map<string, Uint8Array | string>();
  if (typeof from !== 'string')
    for (const [path, bytes] of Object.entries(from)) files.set(path.startsWith('/') ? path : `/${path}`, bytes);
  const requests: Asked[] = [];
  const faults = new Map<string, { fault: Fault; left: number }[]>();
  let active = 0;
  let most = 0;

  const find = (path: string): { bytes: Uint8Array; modified: string } | undefined => {
    const held = files.get(path);
    if (held !== undefined)
      return {
        bytes: typeof held === 'string' ? Buffer.from(held) : held,
        modified: 'Thu, 01 Jan 2026 00:00:00 GMT',
      };
    if (typeof from !== 'string') return undefined;
    const file = join(from, normalize(decodeURIComponent(path)));
    if (!existsSync(file) || !statSync(file).isFile()) return undefined;
    return { bytes: readFileSync(file), modified: statSync(file).mtime.toUTCString() };
  };

  const respond = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const path = (asked.url ?? '/').replace(/\?.*$/, '');
    requests.push({ method: asked.method ?? '', path, headers: asked.headers });
    active++;
    most = Math.max(most, active);
    let over = false;
    answer.on('close', () => {
      if (!over) active--;
      over = true;
    });
    const queue = faults.get(path);
    const turn = queue?.find((entry) => entry.left > 0);
    if (turn !== undefined) turn.left--;
    const fault = turn?.fault ?? {};
    await fault.wait?.();
    if (fault.silent) return;
    if (fault.redirect !== undefined) {
      answer.writeHead(302, { location: fault.redirect, ...fault.headers }).end();
      return;
    }
    if (fault.status !== undefined) {
      answer.writeHead(fault.status, { 'content-type': 'text/plain', ...fault.headers }).end('no\n');
      return;
    }
    const found = find(path);
    if (found === undefined) {
      answer.writeHead(404).end('not found\n');
      return;
    }
    send(
      asked.headers,
      answer,
      found.bytes,
      options.dates === false ? undefined : found.modified,
      fault,
      options.etags !== false,
    );
  };
  const server = createServer((asked, answer) => void respond(asked, answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = (server.address() as AddressInfo).port;
  const close = () => stop(server);
  t.after(close);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    files,
    fault(path, fault) {
      const queue = faults.get(path) ?? [];
      queue.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
      faults.set(path, queue);
    },
    reset: () => faults.clear(),
    get most() {
      return most;
    },
    close,
  };
}

function send(
  headers: IncomingHttpHeaders,
  answer: ServerResponse,
  original: Uint8Array,
  modified: string | undefined,
  fault: Fault,
  etags: boolean,
): void {
  const tag = `"${createHash('sha256').update(original).digest('hex').slice(0, 24)}"`;
  const same: Record<string, string> = {
    ...(modified === undefined ? {} : { 'last-modified': modified }),
    ...(etags ? { etag: tag } : {}),
  };
  if (
    headers['if-none-match'] === tag ||
    (!etags && modified !== undefined && headers['if-modified-since'] === modified)
  ) {
    answer.writeHead(304, same).end();
    return;
  }
  let bytes = original;
  if (fault.body !== undefined) bytes = typeof fault.body === 'string' ? Buffer.from(fault.body) : fault.body;
  if (fault.corrupt) {
    bytes = Uint8Array.from(bytes);
    if (bytes.length > 0) bytes[bytes.length >> 1]! ^= 1;
  }
  let status = 200;
  const more: Record<string, string> = {};
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers['range'] ?? '');
  const ifRange = headers['if-range'];
  if (range !== null && !fault.ignoreRange && (ifRange === undefined || ifRange === tag || ifRange === modified)) {
    const first = Number(range[1]);
    if (first >= bytes.length) {
      answer.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
      return;
    }
    const last = range[2] === '' ? bytes.length - 1 : Math.min(Number(range[2]), bytes.length - 1);
    more['content-range'] = `bytes ${first}-${last}/${bytes.length}`;
    bytes = bytes.subarray(first, last + 1);
    status = 206;
  }
  if (!fault.noLength) more['content-length'] = String(bytes.length);
  answer.writeHead(status, { 'accept-ranges': 'bytes', ...same, ...more, ...fault.headers });
  const until = fault.cutAt ?? fault.stallAt;
  if (until === undefined || until >= bytes.length) {
    answer.end(bytes);
    return;
  }
  answer.write(bytes.subarray(0, until), () => {
    if (fault.cutAt === undefined) return;
    if (fault.noLength) answer.end();
    // an orderly end of the connection, so that what was written arrives before it
    else answer.socket?.end();
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A forward proxy on the loopback: plain requests and CONNECT, remembered as they came. */
export async function serveProxy(t: { after(fn: () => void | Promise<void>): void }): Promise<{
  readonly url: string;
  readonly port: number;
  /** `GET http://…` or `CONNECT host:port`, with the headers. */
  readonly requests: Asked[];
}> {
  const requests: Asked[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((asked, answer) => {
    requests.push({ method: asked.method ?? '', path: asked.url ?? '', headers: asked.headers });
    const onward = request(asked.url!, { method: asked.method!, headers: asked.headers }, (reply) => {
      answer.writeHead(reply.statusCode!, reply.headers);
      reply.pipe(answer);
    });
    onward.on('error', () => answer.writeHead(502).end());
    asked.pipe(onward);
  });
  server.on('connect', (asked, socket: Socket, head: Buffer) => {
    requests.push({ method: 'CONNECT', path: asked.url ?? '', headers: asked.headers });
    const [host, port] = (asked.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on('error', () => {
        socket.destroy();
        onward.destroy();
      });
      one.on('close', () => sockets.delete(one));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await stop(server);
  });
  const port = (server.address() as AddressInfo).port;
  return { url: `http://127.0.0.1:${port}`, port, requests };
}

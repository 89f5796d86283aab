import { hash } from 'node:crypto';
import { type FileContent, PIECE, type Reopening } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { type Report, silent } from '../events/events.ts';
import type { Tree } from '../tree/tree.ts';
import { taskModule } from '../workers/pool.ts';
import { expectThread, giveThread, jobs, takeThread } from '../workers/shared.ts';
import { claim, type Digested, type DigestTask } from './digest-task.ts';
import { counted } from './kind.ts';

const TASK = taskModule('./digest-task', import.meta.url);

/** Contents from this size on are shared with another thread; describing smaller ones to it takes as long as digesting them. */
const SHARED = 64 * 1024;
/** From this many bytes of them on, the thread saves more time than it takes. */
const WORTH_A_THREAD = 16 * 1024 * 1024;

/** Starts the thread that helps {@link completeDigests} in advance. */
export function expectDigests(): void {
  expectThread(TASK);
}

/**
 * Ensures that every file's content has its SHA-256. Packages contain them, an archive or a folder does not; with
 * all of them known, what is derived from a tree (UUIDs, hash seeds) follows from its content alone, so the same rootfs
 * produces the same image regardless of where it was read from.
 */
export async function completeDigests(tree: Tree, report: Report = silent): Promise<void> {
  const missing = new Set<FileContent>();
  let total = 0;
  for (const { inode } of tree.walk()) {
    if (inode.kind !== 'file' || inode.content.sha256 !== undefined || missing.has(inode.content)) continue;
    missing.add(inode.content);
    total += inode.content.size;
  }
  if (missing.size === 0) return;
  report({ kind: 'phase', phase: 'hash', bytes: total });
  let small: Uint8Array | undefined;
  let bytes = 0;
  const noted = (size: number) => {
    bytes += size;
    report({ kind: 'progress', phase: 'hash', bytes });
  };
  const complete = async (content: FileContent) => {
    if (content.size <= PIECE && content.copyTo !== undefined) {
      small ??= new Uint8Array(PIECE);
      content.copyTo(small, 0);
      content.sha256 = hash('sha256', small.subarray(0, content.size), 'hex');
    } else if (content.size <= PIECE) content.sha256 = hash('sha256', content.readSync(), 'hex');
    else {
      const before = bytes;
      const progress = (done: number) => report({ kind: 'progress', phase: 'hash', bytes: before + done });
      content.sha256 = await digestOf({ size: content.size, open: () => counted(content.open(), progress) });
    }
    noted(content.size);
  };
  const shared = share(missing);
  // what the other thread may take comes last, so that neither waits for the other for long
  for (const content of missing) if (shared?.contents.has(content) !== true) await complete(content);
  if (shared !== undefined) {
    for (const content of shared.contents) if (shared.claim(content)) await complete(content);
    for (const content of await shared.done()) noted(content.size);
    for (const content of shared.contents) if (content.sha256 === undefined) await complete(content);
  }
  report({ kind: 'ended', phase: 'hash', bytes });
}

/** Contents that a further thread digests, too. */
interface Shared {
  readonly contents: ReadonlySet<FileContent>;
  /** Claims a content for this thread. */
  claim(content: FileContent): boolean;
  /** Waits for the other thread. Returns the contents that have its digests now; others are left as they are. */
  done(): Promise<FileContent[]>;
}

/** Lets another thread digest the large ones of some contents, from the last one on, if that is worth it. */
function share(all: Iterable<FileContent>): Shared | undefined {
  if (jobs() < 2) return undefined;
  const contents: FileContent[] = [];
  const reopenings: Reopening[] = [];
  let bytes = 0;
  for (const content of all) {
    const reopening = content.size < SHARED ? undefined : content.reopening?.();
    if (reopening === undefined) continue;
    contents.push(content);
    reopenings.push(reopening);
    bytes += content.size;
  }
  if (bytes < WORTH_A_THREAD) return undefined;
  const begun = new Int32Array(new SharedArrayBuffer(4 * contents.length));
  const numbers = new Map(contents.map((content, number) => [content, number]));
  const thread = takeThread();
  const digested = thread.run<Digested>(TASK, { contents: reopenings, begun } satisfies DigestTask).then(
    (digests) => {
      giveThread(thread);
      return digests;
    },
    // a thread that was lost leaves everything to this one
    (): Digested => [],
  );
  return {
    contents: new Set(contents),
    claim: (content) => claim(begun, numbers.get(content)!),
    async done() {
      return (await digested).map(([number, sha256]) => {
        const content = contents[number]!;
        content.sha256 = sha256;
        return content;
      });
    },
  };
}

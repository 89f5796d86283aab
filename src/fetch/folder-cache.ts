import type { Report } from '../events/events.ts';
import { joinUrl, shown } from './mirror/url.ts';
import { keyOf } from './mirror/want.ts';
import type { RemoteCache, Want } from './mirror.ts';
import { RemoteTrouble } from './remote-trouble.ts';

/**
 * Packages in the cache folder of another machine, which any web server or a shared file system offers. It is read only: a
 * build fills a cache folder of its own, which is copied there. Packages are checked by their digests as those of mirrors
 * are, so the server is not trusted.
 */
export class FolderCache implements RemoteCache {
  private readonly base: string;
  private readonly trouble: RemoteTrouble;

  /** `base`: URL (http, https, file) of what `osbuilder` fills as its cache folder. */
  constructor(base: string, report: Report) {
    this.base = base;
    this.trouble = new RemoteTrouble(shown(base), report);
  }

  async find(want: Want): Promise<Want | undefined> {
    if (this.trouble.lost || want.category !== 'archives') return undefined;
    const key = keyOf(want);
    const { digest, size, category } = want;
    // as `Cache.path` has it
    const url = joinUrl(this.base, `${category}/${key.slice(0, 2)}/${key}`);
    return { urls: [url], digest, category, ...(size === undefined ? {} : { size }) };
  }

  failed(error: unknown): void {
    this.trouble.note(error);
  }

  async keep(): Promise<void> {}
}

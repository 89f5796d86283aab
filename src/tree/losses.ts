import type { WarningCode, WarningContext } from '../errors/warnings.ts';
import { type Report, warning } from '../events/events.ts';
import { display, parts } from './path.ts';

/** Warnings about something in a source that does not reach the tree or the output; `more` counts further files. */
type LossCode = {
  [C in WarningCode]: WarningContext<C> extends { path: string; more?: number } ? C : never;
}[WarningCode];

/**
 * Collects what is dropped from many files, so that one warning names the first file and counts the others: an archive
 * made on macOS has the same attribute on every file.
 */
export class Losses {
  private readonly found = new Map<string, { code: LossCode; context: object; count: number }>();
  private readonly report: Report | undefined;

  constructor(report: Report | undefined) {
    this.report = report;
  }

  /** Notes a loss; `context.path` is a tree or archive path (a byte string). Equal losses of other files are counted. */
  add<C extends LossCode>(code: C, context: WarningContext<C>): void {
    if (this.report === undefined) return;
    const { path, ...rest } = context;
    const key = `${code} ${JSON.stringify(rest)}`;
    const known = this.found.get(key);
    if (known !== undefined) known.count++;
    else this.found.set(key, { code, context: { ...rest, path: shown(path) }, count: 1 });
  }

  /** Reports what was collected, in the order in which it was found, and clears it. */
  flush(): void {
    for (const { code, context, count } of this.found.values())
      this.report?.(warning(code, (count === 1 ? context : { ...context, more: count - 1 }) as never));
    this.found.clear();
  }
}

/** A path of an archive or a tree as messages show it: `/usr/bin/ls`. */
function shown(path: string): string {
  return `/${display(parts(path).join('/'))}`;
}

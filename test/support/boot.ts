import { osbuilder } from './cli.ts';
import { TEST_CACHE } from './data.ts';
import { FAST, PATIENCE } from './kernel-arguments.ts';

/** How `osbuilder boot` ended. */
export interface BootResult {
  /** `seen`, `ended`, or the code of the error. */
  readonly outcome: string;
  /** The error as text, or the console. */
  readonly shown: string;
  /** Lines of the console, with seconds; empty after an error. */
  readonly lines: readonly { readonly seconds: number; readonly text: string }[];
  readonly seconds: number;
  /** All of what `--json` gave. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** Lines after which a guest is not sound, though it may go on. */
export const UNSOUND = 'Initramfs unpacking failed|Failed to (start|load|mount)|Dependency failed';

/**
 * Boots an artefact by the program, emulated, so that it takes the same way on every machine. The kernel is Debian 12's,
 * which starts fastest, unless `args` say otherwise.
 */
export async function bootBy(artefact: string, args: readonly string[], append = ''): Promise<BootResult> {
  const release = args.some((word) => word === '--os-version' || word === '--kernel')
    ? []
    : // the main suite alone: others are not complete for every architecture on every mirror
      ['--os-version', 'bookworm', '--repo-suites', 'bookworm'];
  const result = await osbuilder([
    ...['boot', artefact, '--json', '--accelerator', 'tcg', '--append', `${FAST} ${append}`.trim()],
    ...(args.includes('--kernel') ? [] : ['--cache-dir', TEST_CACHE]),
    ...(args.includes('--timeout') ? [] : ['--timeout', `${PATIENCE}`]),
    ...release,
    ...args,
  ]);
  const document = JSON.parse(result.stdout || '{}');
  const lines = document.console ?? [];
  return {
    ...{ document, lines, seconds: document.seconds ?? 0 },
    outcome: document.outcome ?? document.error?.code ?? `exit ${result.code}`,
    shown: result.code === 0 ? lines.map((line: { text: string }) => line.text).join('\n') : result.stderr,
  };
}

/** A pattern for `--until-regex`: not at the start of a line, as ppc64le's early console leaves one unfinished. */
export const AGENT_READY = 'KATA-AGENT-READY$';

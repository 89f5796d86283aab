import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { Cache } from '../fetch/cache.ts';
import { size } from '../report/terminal.ts';
import { type Context, cacheDirectory } from './context.ts';

const ABOUT = {
  archives: 'packages as downloaded',
  indexes: 'signed metadata and package lists',
  parsed: 'package lists, read',
  spools: 'packages, unpacked',
  trees: 'packages, installed and configured',
} as const;

const ACTIONS = ['info', 'verify', 'gc', 'clear'];

/** `osbuilder cache info|verify|gc|clear`. */
export async function cache(context: Context): Promise<void> {
  const action = context.call.positional[0] ?? '';
  const { cacheSize } = context.settings;
  const cache = new Cache(cacheDirectory(context));
  if (!ACTIONS.includes(action))
    throw new BuildError('USAGE', {
      reason: `unknown action "${action}": expected ${ACTIONS.join(', ')}${didYouMean(action, ACTIONS)}`,
    });
  if (action === 'gc' && cacheSize === undefined)
    throw new BuildError('USAGE', { reason: 'say how much "osbuilder cache gc" keeps: --cache-size MIB' });
  if (action !== 'gc' && context.given.get('cacheSize')?.from === 'flag')
    throw new BuildError('USAGE', {
      reason: `--cache-size has no effect: "osbuilder cache ${action}" keeps what there is`,
    });
  cache.rejectOthers();
  const verified = action === 'verify' ? cache.verify() : undefined;
  const collected = action === 'gc' ? cache.collect((cacheSize ?? 0) * 2 ** 20, context.terminal.clock()) : undefined;
  const categories = cache.info();
  if (action === 'clear') cache.clear();
  if (context.settings.json) {
    context.terminal.out(
      `${JSON.stringify({ directory: cache.directory, categories, cleared: action === 'clear', ...verified, ...collected }, null, 2)}\n`,
    );
    return;
  }
  context.terminal.out(`${cache.directory}\n`);
  for (const { category, files, bytes } of categories)
    context.terminal.out(
      `  ${category.padEnd(9)}${String(files).padStart(6)} files ${size(bytes)}  ${ABOUT[category]}\n`,
    );
  if (verified !== undefined) {
    for (const name of verified.removed) context.terminal.out(`  removed ${name}: it is not what was stored\n`);
    context.terminal.out(`  ${verified.good} entries checked and good, ${verified.removed.length} removed\n`);
  }
  if (collected !== undefined)
    context.terminal.out(`  ${collected.removed.length} entries removed, ${size(collected.bytes).trim()} left\n`);
  if (action === 'clear') context.terminal.out('  all removed\n');
}

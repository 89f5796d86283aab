import { BuildError } from '../errors/error.ts';

/** A part of a list of guests: the `index`-th of `count`, counted from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables by which engines say which of several equal jobs one is. */
const ENGINES: readonly { readonly index: string; readonly read: (environment: Environment) => Shard | undefined }[] = [
  // https://slurm.schedmd.com/job_array.html
  {
    index: 'SLURM_ARRAY_TASK_ID',
    read(environment) {
      const count = whole(environment, 'SLURM_ARRAY_TASK_COUNT');
      const least = whole(environment, 'SLURM_ARRAY_TASK_MIN') ?? 0;
      const step = whole(environment, 'SLURM_ARRAY_TASK_STEP') || 1;
      return count === undefined
        ? undefined
        : { index: (whole(environment, 'SLURM_ARRAY_TASK_ID')! - least) / step, count };
    },
  },
  // an indexed job says its own number only: https://kubernetes.io/docs/concepts/workloads/controllers/job/
  {
    index: 'JOB_COMPLETION_INDEX',
    read(environment) {
      const count = whole(environment, 'OSBUILDER_SHARDS');
      return count === undefined ? undefined : { index: whole(environment, 'JOB_COMPLETION_INDEX')!, count };
    },
  },
  // `parallel:` of GitLab counts from 1: https://docs.gitlab.com/ci/variables/predefined_variables/
  {
    index: 'CI_NODE_INDEX',
    read(environment) {
      const count = whole(environment, 'CI_NODE_TOTAL');
      return count === undefined ? undefined : { index: whole(environment, 'CI_NODE_INDEX')! - 1, count };
    },
  },
];

/**
 * Reads `I/N` (the I-th of N, from 1), or `auto`: the number that the engine's own variables say. Throws `USAGE`.
 */
export function shardOf(text: string, environment: Environment): Shard {
  const shard = text === 'auto' ? engineShard(environment) : typed(text);
  const { index, count } = shard;
  if (!Number.isInteger(index) || index < 0 || index >= count)
    throw new BuildError('USAGE', { reason: `--shard ${text}: there is no part ${index + 1} of ${count}` });
  return shard;
}

function typed(text: string): Shard {
  const match = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  if (match === null)
    throw new BuildError('USAGE', {
      reason: `--shard ${text}: expected I/N, such as 1/4 for the first of four, or auto`,
    });
  return { index: Number(match[1]) - 1, count: Number(match[2]) };
}

function engineShard(environment: Environment): Shard {
  for (const { index, read } of ENGINES) {
    if (whole(environment, index) === undefined) continue;
    const shard = read(environment);
    if (shard !== undefined) return shard;
    throw new BuildError(
      'USAGE',
      { reason: `--shard auto: $${index} is set, but not how many there are` },
      {
        hint:
          index === 'JOB_COMPLETION_INDEX' ? 'set OSBUILDER_SHARDS to the completions of the job' : 'use --shard I/N',
      },
    );
  }
  throw new BuildError(
    'USAGE',
    { reason: `--shard auto: none of ${ENGINES.map(({ index }) => `$${index}`).join(', ')} is set` },
    { hint: 'use --shard I/N' },
  );
}

/** The number that a variable has; undefined when it is not set or empty. Throws `USAGE` for anything else. */
function whole(environment: Environment, name: string): number | undefined {
  const text = environment[name] ?? '';
  if (text === '') return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new BuildError(
      'USAGE',
      { reason: `--shard auto: $${name} is "${text}", which is no number of a part` },
      { hint: 'use --shard I/N' },
    );
  return Number(text);
}

/** The members of a list that a shard has: every `count`-th, so that neighbours, which are alike, are spread. */
export function sharded<T>(list: readonly T[], { index, count }: Shard): T[] {
  return list.filter((_, i) => i % count === index);
}

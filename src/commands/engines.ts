/** Manifests for engines that run many jobs: text of each, made from a config file with several guests. */

/** What a manifest is made from. */
export interface Fleet {
  /** Path of the config file, as jobs see it. */
  readonly config: string;
  /** Names of all guests. */
  readonly guests: readonly string[];
  /** What the guests write. */
  readonly outputs: readonly string[];
  /** Number of jobs. */
  readonly shards: number;
  /** Words that start this program in a job. */
  readonly program: readonly string[];
  /** Image of the containers in which jobs run: it has Node. */
  readonly container: string;
}

/** A manifest: YAML is made from a document, the rest is text. */
export type Manifest = { readonly document: object } | { readonly text: string };

/** The manifest of each engine. */
export const ENGINES: Readonly<Record<string, (fleet: Fleet) => Manifest>> = {
  // https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
  kubernetes: (fleet) => ({
    document: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'osbuilder' },
      spec: {
        completionMode: 'Indexed',
        completions: fleet.shards,
        parallelism: fleet.shards,
        backoffLimit: fleet.shards,
        template: {
          spec: {
            restartPolicy: 'Never',
            securityContext: POD,
            containers: [
              {
                name: 'osbuilder',
                ...container(fleet, ['--shard', 'auto']),
                env: [...ENVIRONMENT, { name: 'OSBUILDER_SHARDS', value: String(fleet.shards) }],
              },
            ],
            volumes: VOLUMES,
          },
        },
      },
    },
  }),

  // https://argo-workflows.readthedocs.io/en/latest/walk-through/loops/
  argo: (fleet) => ({
    document: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      metadata: { generateName: 'osbuilder-' },
      spec: {
        entrypoint: 'all',
        parallelism: fleet.shards,
        securityContext: POD,
        volumes: VOLUMES,
        templates: [
          {
            name: 'all',
            steps: [
              [
                {
                  name: 'guest',
                  template: 'guest',
                  arguments: { parameters: [{ name: 'guest', value: '{{item}}' }] },
                  withItems: fleet.guests,
                },
              ],
            ],
          },
          {
            name: 'guest',
            inputs: { parameters: [{ name: 'guest' }] },
            container: { ...container(fleet, ['--only', '{{inputs.parameters.guest}}']), env: ENVIRONMENT },
          },
        ],
      },
    },
  }),

  // https://slurm.schedmd.com/job_array.html
  slurm: (fleet) => ({
    text: [
      '#!/bin/sh',
      '#SBATCH --job-name=osbuilder',
      `#SBATCH --array=0-${fleet.shards - 1}`,
      '#SBATCH --cpus-per-task=2',
      '#SBATCH --output=osbuilder-%a.log',
      `exec ${command(fleet, ['--shard', 'auto']).map(quoted).join(' ')}`,
      '',
    ].join('\n'),
  }),

  // https://docs.gitlab.com/ci/yaml/#parallel
  gitlab: (fleet) => ({
    document: {
      guests: {
        image: fleet.container,
        parallel: fleet.shards,
        variables: { OSBUILDER_CACHE_DIR: '$CI_PROJECT_DIR/.osbuilder-cache' },
        script: [command(fleet, ['--shard', 'auto']).map(quoted).join(' ')],
        cache: { key: 'osbuilder-$CI_NODE_INDEX', paths: ['.osbuilder-cache/'] },
        artifacts: { paths: fleet.outputs },
      },
    },
  }),

  // https://docs.github.com/actions/using-jobs/using-a-matrix-for-your-jobs
  github: (fleet) => {
    const setup = [{ uses: 'actions/checkout@v4' }, { uses: 'actions/setup-node@v4', with: { 'node-version': 22 } }];
    const list = command(fleet, ['--list', '--json']).map(quoted).join(' ');
    return {
      document: {
        name: 'guests',
        on: ['push'],
        jobs: {
          list: {
            'runs-on': 'ubuntu-latest',
            outputs: { matrix: '${{ steps.list.outputs.matrix }}' },
            steps: [...setup, { id: 'list', run: `echo "matrix=$(${list})" >> "$GITHUB_OUTPUT"` }],
          },
          build: {
            needs: 'list',
            'runs-on': 'ubuntu-latest',
            strategy: { matrix: '${{ fromJSON(needs.list.outputs.matrix) }}', 'max-parallel': fleet.shards },
            steps: [
              ...setup,
              { run: `${command(fleet, []).map(quoted).join(' ')} --only "\${{ matrix.guest }}"` },
              {
                uses: 'actions/upload-artifact@v4',
                with: { name: '${{ matrix.guest }}', path: fleet.outputs.join('\n'), 'if-no-files-found': 'ignore' },
              },
            ],
          },
        },
      },
    };
  },
};

function command({ program, config }: Fleet, more: readonly string[]): string[] {
  return [...program, 'build', '--config', config, ...more];
}

/** A container without any privilege: the folder of the config file is a volume, all else is temporary. */
function container(fleet: Fleet, more: readonly string[]): object {
  return {
    image: fleet.container,
    command: command(fleet, more),
    workingDir: '/work',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'work', mountPath: '/work' },
      { name: 'temporary', mountPath: '/tmp' },
    ],
  };
}

const POD = { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 };
const ENVIRONMENT = [
  { name: 'HOME', value: '/tmp' },
  { name: 'OSBUILDER_CACHE_DIR', value: '/tmp/cache' },
];
/** The claim has the config file and what it names, and takes the guests. */
const VOLUMES = [
  { name: 'work', persistentVolumeClaim: { claimName: 'osbuilder' } },
  { name: 'temporary', emptyDir: {} },
];

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

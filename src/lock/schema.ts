/**
 * The JSON schema of lock files.
 *
 * @example
 * ```ts
 * import { lockSchema } from 'osbuilder';
 *
 * console.log(lockSchema()['title']); // prints: osbuilder.lock.json
 * ```
 */
export function lockSchema(): Record<string, unknown> {
  const whole = (description: string) => ({ description, type: 'integer', minimum: 0 });
  const text = (description: string) => ({ description, type: 'string', minLength: 1 });
  const texts = (description: string) => ({ description, type: 'array', items: { type: 'string' } });
  const sha256 = (description: string) => ({ description, type: 'string', pattern: '^[0-9a-f]{64}$' });
  const record = (description: string, required: Record<string, unknown>, optional: Record<string, unknown> = {}) => ({
    ...(description === '' ? {} : { description }),
    type: 'object',
    additionalProperties: false,
    required: Object.keys(required),
    properties: { ...required, ...optional },
  });
  const rows = (description: string, items: unknown) => ({ description, type: 'array', items });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'osbuilder.lock.json',
    ...record(
      'Everything that decides on the bytes of a guest: packages, inputs, settings and the digests of what was built.',
      {
        format: { description: 'version of this format', const: 1 },
        tool: record('the program that wrote it', { name: text('its name'), version: text('its version') }),
        init: { description: 'process 1 of the guest', enum: ['systemd', 'agent'] },
        epoch: whole('no time stamp in an output is later (Unix seconds)'),
        settings: {
          description: 'settings by flag without its dashes; those with their default value are left out',
          type: 'object',
          additionalProperties: {
            anyOf: [
              { type: 'string' },
              { type: 'number' },
              { type: 'boolean' },
              { type: 'array', items: { type: 'string' } },
            ],
          },
        },
        repositories: rows(
          'where packages were chosen from',
          record(
            '',
            {
              name: text('its suite, or what the distribution calls it'),
              urls: texts('base URLs without credentials, best first; none for a folder of the build host'),
              metadata: record('what proved its list of packages', {
                date: whole('Unix seconds'),
                sha256: sha256('of the signed text'),
                signedBy: texts('keys with a valid signature'),
              }),
            },
            {
              below: text('path from the root of a mirror to the base'),
              suite: text('suite of a Debian archive'),
              components: texts('its components'),
              tag: text('tag that requests name it by'),
              snapshot: text('URL of a dated archive, with {time} for the time'),
            },
          ),
        ),
        packages: rows(
          'in the order of installation, those of a kernel last',
          record(
            '',
            {
              name: text('its name'),
              version: text('its version'),
              architecture: text('in the distribution’s words'),
              size: whole('bytes of the archive'),
              sha256: sha256('of the archive'),
              path: text('below the base URL of its repository'),
              reason: { description: 'why it is in the guest', type: 'string' },
            },
            {
              repository: whole('number of its repository; left out for a file of the build host'),
              by: text('the package that needs it'),
              tag: text('tag of its repository'),
              record: text('what its index says of it, where the package says otherwise of itself'),
              part: { description: 'of a package that only a kernel and its modules are taken from', const: 'kernel' },
            },
          ),
        ),
        inputs: rows(
          'files, folders and images that the build read besides packages',
          record(
            '',
            {
              setting: text('the setting that names it; "source" for an existing rootfs'),
              name: text('last part of its path'),
              sha256: sha256('of the file, of the folder’s listing and contents, or of the manifest of an image'),
              kind: { enum: ['file', 'folder', 'image'] },
            },
            { by: text('the file that names it, where that is not the setting itself') },
          ),
        ),
        outputs: rows(
          'what was built when the lock was made',
          record(
            '',
            {
              kind: { enum: ['rootfs', 'initrd', 'image', 'kernel'] },
              name: text('last part of its path'),
              size: whole('bytes'),
              sha256: sha256('of the file'),
            },
            {
              rootHash: {
                description: 'root hash of a measured file system',
                type: 'string',
                pattern: '^[0-9a-f]{40,128}$',
              },
            },
          ),
        ),
      },
      {
        distribution: text('name of the distribution; left out with release and family for an existing rootfs'),
        release: text('its release'),
        architecture: text('of the guest, as `uname -m` says it; for an existing rootfs where it was given'),
        family: text('family of its package manager'),
      },
    ),
  };
}

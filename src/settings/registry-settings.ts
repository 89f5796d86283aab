import { wherePushed, whereRemote, whereRemoteCached, whereRemoteCacheKept } from './scope.ts';
import { setting, text, yesNo } from './setting.ts';

const REGISTRY = 'Registries';

/** Rows of the table of settings: registries of containers and artifacts. */
export const REGISTRY_SETTINGS = {
  push: setting(
    REGISTRY,
    wherePushed,
    text('REFERENCE'),
    'OSBUILDER_PUSH',
    'push what was built to a registry (oci://HOST/NAME:TAG) or a layout (oci:DIR, oci-archive:FILE), with what is said about it attached',
  ),
  registryPlainHttp: setting(
    REGISTRY,
    whereRemote,
    yesNo,
    'OSBUILDER_REGISTRY_PLAIN_HTTP',
    'use registries without TLS on other machines, too; on this one they always may be without',
    false,
  ),
  caCert: setting(
    REGISTRY,
    whereRemote,
    text('FILE'),
    'OSBUILDER_CA_CERT',
    'certificates (PEM) of authorities to trust besides Node’s own, for registries and mirrors',
  ),
  remoteCache: setting(
    REGISTRY,
    whereRemoteCached,
    text('REFERENCE'),
    'OSBUILDER_REMOTE_CACHE',
    'look for packages first in this repository of a registry (oci://HOST/NAME) or in a cache folder that a web server offers (https://HOST/PATH), by their digests',
  ),
  remoteCacheWrite: setting(
    REGISTRY,
    whereRemoteCacheKept,
    yesNo,
    'OSBUILDER_REMOTE_CACHE_WRITE',
    'push packages that were fetched from mirrors to the remote cache',
    false,
  ),
} as const;

/**
 * SHA-256 of this program's modules, which `scripts/bundle.mjs` puts here: what two versions make of the same inputs may differ,
 * also between two builds of one version number. Empty where the modules are not bundled, as in most tests.
 */
export const CODE: string = '';

import { whereBilled, whereBuilt, whereListed, whereReferenced, whereSigned } from './scope.ts';
import { anyText, choice, setting, text, yesNo } from './setting.ts';

const PROOF = 'What is said about the outputs';

/** Rows of the table of settings: what is written about the outputs of a build. */
export const PROOF_SETTINGS = {
  sbom: setting(
    PROOF,
    whereListed,
    text('FILE'),
    'OSBUILDER_SBOM',
    'write a bill of materials: every package with its licence, digest and package URL; in inspect: of what an artefact has',
  ),
  sbomFormat: setting(
    PROOF,
    whereBilled,
    choice('cyclonedx', 'spdx'),
    'OSBUILDER_SBOM_FORMAT',
    'CycloneDX 1.6 or SPDX 2.3 (default: SPDX for a file named .spdx.json)',
  ),
  sbomFiles: setting(
    PROOF,
    whereBilled,
    yesNo,
    'OSBUILDER_SBOM_FILES',
    'list every file with its digest and package, not only those that no package brought',
    false,
  ),
  provenance: setting(
    PROOF,
    whereBuilt,
    text('FILE'),
    'OSBUILDER_PROVENANCE',
    'write an in-toto statement with SLSA provenance: what the outputs were made of',
  ),
  signKey: setting(
    PROOF,
    whereSigned,
    text('FILE'),
    'OSBUILDER_SIGN_KEY',
    'sign the provenance (DSSE), and what is pushed, with this private key: Ed25519 or ECDSA P-256, in PEM',
  ),
  referenceValues: setting(
    PROOF,
    whereBuilt,
    text('FILE'),
    'OSBUILDER_REFERENCE_VALUES',
    'write the values that attestation compares: digests of the outputs, their root hash, the command line',
  ),
  referenceValuesFormat: setting(
    PROOF,
    whereReferenced,
    choice('json', 'rvps'),
    'OSBUILDER_REFERENCE_VALUES_FORMAT',
    'plain JSON, or the message that Trustee’s RVPS takes',
    'json' as const,
  ),
  cmdline: setting(
    PROOF,
    whereReferenced,
    anyText('TEXT'),
    'OSBUILDER_CMDLINE',
    'kernel command line for the reference values, exactly as the machine gets it',
  ),
} as const;

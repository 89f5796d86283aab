import type { DracutModule } from '../module.ts';

/** Devices that keep keys: dracut 106 takes what reads them together with encrypted disks. */
export const TOKENS: readonly DracutModule[] = [
  {
    name: 'fido2',
    title: 'FIDO2 tokens for encrypted disks',
    dracut: '106',
    order: 91,
    depends: ['systemd-udevd'],
    libraries: [
      ...['libfido2.so.*', 'libz.so.*', 'libcryptsetup.so.*', 'cryptsetup/libcryptsetup-token-systemd-fido2.so'],
      ...['libcbor.so.*', 'libhidapi-hidraw.so.*'],
    ],
  },
  {
    name: 'pkcs11',
    title: 'PKCS#11 tokens for encrypted disks',
    dracut: '106',
    order: 91,
    depends: ['systemd-udevd'],
    libraries: [
      ...['libtasn1.so.*', 'libffi.so.*', 'libp11-kit.so.*', 'libcryptsetup.so.*'],
      'cryptsetup/libcryptsetup-token-systemd-pkcs11.so*',
    ],
  },
  {
    name: 'tpm2-tss',
    title: 'keys of a TPM 2.0',
    dracut: '106',
    order: 91,
    needs: ['tpm2'],
    depends: ['systemd-sysusers', 'systemd-udevd'],
    files: [
      ...['usr/lib/sysusers.d/tpm2-tss.conf', 'usr/lib/tmpfiles.d/tpm2-tss-fapi.conf'],
      ...['usr/lib/udev/rules.d/60-tpm-udev.rules', 'usr/lib/systemd/system-generators/systemd-tpm2-generator'],
    ],
    units: ['tpm2.target'],
    optionalPrograms: [
      ...['tpm2_pcrread', 'tpm2_pcrextend', 'tpm2_createprimary', 'tpm2_createpolicy', 'tpm2_create', 'tpm2_load'],
      ...['tpm2_unseal', 'tpm2'],
    ],
    libraries: [
      ...['esys', 'fapi', 'mu', 'rc', 'sys', 'tcti-cmd', 'tcti-device', 'tcti-mssim', 'tcti-swtpm', 'tctildr'].map(
        (name) => `libtss2-${name}.so.*`,
      ),
      ...['libcryptsetup.so.*', 'cryptsetup/libcryptsetup-token-systemd-tpm2.so', 'libcurl.so.*', 'libjson-c.so.*'],
    ],
    drivers: ['=drivers/char/tpm'],
  },
];

/** Types of one architecture in the discoverable partitions specification (uapi-group.org), and systemd's name of it. */
export interface DiscoverableTypes {
  readonly name: string;
  readonly root: string;
  readonly verity: string;
  readonly signature: string;
}

/** Partition types of root file systems, by `uname -m` name. */
export const DISCOVERABLE: Readonly<Record<string, DiscoverableTypes>> = {
  x86_64: {
    name: 'x86-64',
    root: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
    verity: '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5',
    signature: '41092b05-9fc8-4523-994f-2def0408b176',
  },
  aarch64: {
    name: 'arm64',
    root: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
    verity: 'df3300ce-d69f-4c92-978c-9bfb0f38d820',
    signature: '6db69de6-29f4-4758-a7a5-962190f00ce3',
  },
  ppc64le: {
    name: 'ppc64-le',
    root: 'c31c45e6-3f39-412e-80fb-4809c4980599',
    verity: '906bd944-4589-4aae-a4e4-dd983917446a',
    signature: 'd4a236e7-e873-4c07-bf1d-bf6cf7f1c3c6',
  },
  s390x: {
    name: 's390x',
    root: '5eead9a9-fe09-4a1e-a1d7-520d00531306',
    verity: 'b325bfbe-c7be-4ab8-8357-139e652d2f6b',
    signature: 'c80187a5-73a3-491a-901a-017c3fa953e9',
  },
  riscv64: {
    name: 'riscv64',
    root: '72ec70a6-cf74-40e6-bd49-4bda08e8f224',
    verity: 'b6ed5582-440b-4209-b8da-5ff7c419ea3d',
    signature: 'efe0f087-ea8d-4469-821a-4c2a96a8386a',
  },
};

/** What a partition type of the specification means; undefined for a type that is none of a root file system. */
export function discoverableRole(type: string): 'root' | 'verity' | 'signature' | undefined {
  for (const { root, verity, signature } of Object.values(DISCOVERABLE)) {
    if (type === root) return 'root';
    if (type === verity) return 'verity';
    if (type === signature) return 'signature';
  }
  return undefined;
}

/** What a package says of itself, for bills of materials. */
export interface PackageFacts {
  readonly name: string;
  /** As the package manager spells it, an epoch included. */
  readonly version: string;
  readonly architecture: string;
  /** The type of its package URL: `deb`, `apk`, `rpm`. */
  readonly type: string;
  /** The version in its package URL, and the qualifiers besides architecture and distribution. */
  readonly purlVersion: string;
  readonly qualifiers: Readonly<Record<string, string>>;
  /** An SPDX expression; undefined when the package does not say. */
  readonly license?: string;
  readonly maintainer?: string;
  readonly summary?: string;
  readonly homepage?: string;
  /** What it needs: any one name of each group. */
  readonly needs: readonly (readonly string[])[];
  /** Names besides its own under which others may need it. */
  readonly provides: readonly string[];
  /** Paths of its files, without a leading slash. */
  readonly files: readonly string[];
}

/** Values that are there: for objects with optional fields. */
export function given<T extends Readonly<Record<string, string | undefined>>>(
  values: T,
): { readonly [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== '')) as {
    readonly [K in keyof T]?: string;
  };
}

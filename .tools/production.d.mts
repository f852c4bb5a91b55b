/** A package or an application of this workspace that is published. */
export interface PublishedMember {
  readonly folder: string;
  readonly manifest: { readonly name: string; readonly version: string } & Readonly<Record<string, unknown>>;
}

/** A package of others that a published one needs when it runs. */
export interface ProductionPackage {
  /** `name@version` */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** Subresource integrity: the algorithm and the digest of the tarball in base64. */
  readonly integrity: string;
  readonly folder: string;
  /** SPDX expression. */
  readonly licence: string | undefined;
  readonly runsAtInstall: boolean;
  readonly needs: readonly string[];
}

export function publishedMembers(): PublishedMember[];
export function productionPackages(): ProductionPackage[];
export function directNeeds(folder: string): string[];

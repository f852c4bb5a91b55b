declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  /** What the hooks are given; only what the tests use of it. */
  export interface Context {
    body: unknown;
    readonly oidc: {
      readonly deviceCode: { nonce?: string; readonly params: { readonly nonce?: string }; save(): Promise<unknown> };
    };
  }

  /** An OpenID provider. */
  class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    callback(): RequestListener;
    on(event: string, listener: (ctx: Context) => void): this;
    once(event: string, listener: (ctx: Context) => void): this;
  }

  // biome-ignore lint/style/noDefaultExport: so it is in the package
  export { Provider as default };
}

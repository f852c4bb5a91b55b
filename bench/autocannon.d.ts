/** What bench uses of autocannon, which brings no types. */
declare module 'autocannon' {
  interface Request {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Buffer;
  }

  interface Options {
    readonly url: string;
    readonly connections: number;
    /** Requests in all, after which it ends. */
    readonly amount: number;
    /** Milliseconds between its looks at whether it is done. */
    readonly sampleInt: number;
    readonly requests: readonly (Omit<Request, 'body'> & { setupRequest(request: Request): Request })[];
  }

  interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  }

  interface Instance extends Promise<Result> {
    /** `milliseconds` is the time from the request's writing to its answer's end. */
    on(event: 'response', listener: (client: unknown, status: number, bytes: number, milliseconds: number) => void): this;
  }

  function autocannon(options: Options): Instance;
  export = autocannon;
}

import type { Random } from '../random.js';

/** A request, for one of the servers. */
export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** A server's HTTP face in memory. */
export interface Face {
  readonly name: string;
  readonly answer: (request: Request) => Promise<Response>;
  /** Paths that there are, from which others are made. */
  readonly paths: readonly string[];
  /** A request with a body for one of its routes, changed at random. */
  readonly submission: (random: Random) => Asked | Promise<Asked>;
  /** What must be the same after a request that was refused. */
  readonly state: () => string | Promise<string>;
  /** Media types of refusals that other specifications ask for. */
  readonly refusals: readonly string[];
  /** Ends what runs. */
  readonly close?: () => void | Promise<void>;
}

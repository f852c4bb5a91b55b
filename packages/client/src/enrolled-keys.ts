import { equalBytes } from '@treering/merkle';
import { type Ed25519, portableEd25519 } from '@treering/note';
import { isSubject, printable } from '@treering/record';
import {
  type CoseKey,
  coseKeyThumbprint,
  encodeBase64Url,
  parseCoseKey,
  type SignedStatement,
  verifySign1,
} from '@treering/statement';
import { ClientError } from './errors.js';
import type { LogClient, ReadEntry } from './log-client.js';
import { verified } from './verified.js';

/** A key, and the entry that enrolled it. */
interface EnrolledKey {
  readonly key: CoseKey;
  readonly index: number;
}

/** The keys that a log enrolled, as far as they were asked for: who signed an entry is checked with them. */
export class EnrolledKeys {
  readonly #client: LogClient;
  readonly #origin: string;
  readonly #ed25519: Ed25519;
  readonly #found = new Map<string, EnrolledKey>();

  constructor(client: LogClient, origin: string, ed25519: Ed25519 = portableEd25519) {
    this.#client = client;
    this.#origin = origin;
    this.#ed25519 = ed25519;
  }

  /**
   * Verifies the signature of an entry under the key that the log enrolled for its issuer. The enrolment is an entry as well,
   * its inclusion proved; that the key was not revoked in between is only what the log says.
   * @returns the index of the entry that names the key: the charter or an identity record
   * @throws ClientError (client/not-verified) when no enrolled key fits or the signature does not hold
   */
  async verifySigner({ statement, index }: ReadEntry): Promise<number> {
    const id = `${statement.iss} ${encodeBase64Url(statement.kid ?? new Uint8Array(0))}`;
    const enrolled = this.#found.get(id) ?? (await this.#find(statement));
    if (enrolled === undefined || enrolled.index > index) {
      const who = printable(statement.iss);
      throw new ClientError(
        'client/not-verified',
        `the log enrolled no key for ${who} that entry ${index} could be signed with`,
      );
    }
    this.#found.set(id, enrolled);
    verified(() => verifySign1(statement.sign1, enrolled.key, { ed25519: this.#ed25519 }));
    return enrolled.index;
  }

  /** The key of a statement's issuer with the thumbprint that it names, from the charter or the issuer's identity records. */
  async #find({ iss, kid }: SignedStatement): Promise<EnrolledKey | undefined> {
    const prefix = `${this.#origin}/identity/`;
    if (!iss.startsWith(prefix) || kid === undefined) return undefined;
    const id = iss.slice(prefix.length);
    // The charter, and the amendments that name other administrators; the earliest that names the key counts.
    for (const { record, index } of (await this.#client.history('charter')).reverse()) {
      const administrators = record?.type === 'charter' || record?.type === 'amendment' ? record.administrators : undefined;
      const own = fitting(administrators?.find((administrator) => administrator.id === id)?.key, kid);
      if (own !== undefined) return { key: own, index };
    }
    if (!isSubject(`identity/${id}`)) return undefined;
    const enrolments = await this.#client.history(`identity/${id}`).catch((error: ClientError) => {
      if (error.status === 404) return [];
      throw error;
    });
    for (const { record, index } of enrolments.reverse()) {
      const key = record?.type === 'identity' && record.action === 'enrol' ? fitting(record.key, kid) : undefined;
      if (key !== undefined) return { key, index };
    }
    return undefined;
  }
}

/** The key in these bytes if it has this thumbprint. */
function fitting(bytes: Uint8Array | undefined, thumbprint: Uint8Array): CoseKey | undefined {
  if (bytes === undefined) return undefined;
  const key = verified(() => parseCoseKey(bytes));
  return equalBytes(coseKeyThumbprint(key), thumbprint) ? key : undefined;
}

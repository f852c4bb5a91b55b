import { createHash } from 'node:crypto';
import { ClientError, type Fetch, WitnessClient } from '@treering/client';
import {
  type Ed25519,
  evaluateQuorum,
  formatVerifierKey,
  NoteError,
  type NoteSignature,
  openNote,
  type PolicyWitness,
  parseCheckpoint,
  parseNote,
  type TrustPolicy,
  type VerifiedSignature,
} from '@treering/note';
import { type Sequencer, SequencerError } from '@treering/sequencer';
import type { StoredHead } from '@treering/storage';

/** What a log says about its witnesses. */
export interface WitnessStatus {
  readonly name: string;
  readonly vkeys: readonly string[];
  readonly url: string;
  /** Entries in the tree that it cosigned last; null when that is not known yet. */
  readonly size: number | null;
  /** When it last cosigned, in milliseconds since the epoch. */
  readonly time: number | null;
  /** Why it did not cosign the last time that it was asked. */
  readonly trouble: string | null;
}

/** How witnesses are asked. */
export interface WitnessOptions {
  /** Who they are, and which of them must agree (https://c2sp.org/tlog-policy). */
  readonly policy: TrustPolicy;
  /** Milliseconds for one round. */
  readonly timeout: number;
  /** Milliseconds that the others get once the quorum is met. */
  readonly grace?: number;
  readonly fetch?: Fetch;
  /** Called when a witness says that it knows more than this log has. */
  readonly onAlarm?: (witness: string, message: string) => void;
}

/** What a circle of witnesses works with. */
export interface WitnessParts extends WitnessOptions {
  readonly origin: string;
  readonly sequencer: Pick<Sequencer<unknown>, 'proveConsistency' | 'confront'>;
  readonly ed25519: Ed25519;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Requests to one witness in a round: the first, and two after conflicts. */
const MOST_TRIES = 3;
/** Milliseconds for a look at what a witness has cosigned. */
const LOOK_TIMEOUT = 3000;

/** One witness service, whatever keys it has. */
interface Service {
  readonly url: string;
  readonly witnesses: readonly PolicyWitness[];
  readonly client: WitnessClient;
  /** Answers more slowly than the rounds follow one another: it is not asked twice at once. */
  busy: boolean;
  size: number | undefined;
  time: number | undefined;
  trouble: string | undefined;
  /** The size that it says it knows and could not prove, when that is more than the log has. */
  claim: number | undefined;
}

/**
 * The witnesses of a log (https://c2sp.org/tlog-witness). All are asked at once, in bounded time; whoever is slow, gone or wrong
 * just does not cosign. A witness that shows a head of this log that the log does not have stops it: an older copy of the store
 * was brought back, and signing from it would sign a second history.
 */
export class Witnesses {
  readonly policy: TrustPolicy;
  readonly #parts: WitnessParts;
  readonly #services: Service[];

  /** @throws NoteError (note/bad-policy) when a quorum could count one witness twice */
  constructor(parts: WitnessParts) {
    const { policy, fetch, timeout } = parts;
    requireDistinct(policy);
    this.#parts = parts;
    this.policy = policy;
    const urls = [...new Set(policy.witnesses.flatMap(({ url }) => (url === undefined ? [] : [url])))];
    this.#services = urls.map((url) => ({
      url,
      witnesses: policy.witnesses.filter((witness) => witness.url === url),
      client: new WitnessClient(url, { timeout, ...(fetch === undefined ? {} : { fetch }) }),
      busy: false,
      size: undefined,
      time: undefined,
      trouble: undefined,
      claim: undefined,
    }));
  }

  status(): WitnessStatus[] {
    return this.#services.map(({ witnesses, url, size, time, trouble }) => ({
      name: nameOf(witnesses),
      vkeys: witnesses.map(({ key }) => formatVerifierKey(key)),
      url,
      size: size ?? null,
      time: time ?? null,
      trouble: trouble ?? null,
    }));
  }

  /**
   * Why the log may not go on: so many witnesses say that they know a larger tree that the quorum cannot be met without them.
   * undefined when there is no such reason.
   */
  get objection(): string | undefined {
    const claiming = this.#services.filter(({ claim }) => claim !== undefined);
    if (claiming.length === 0) return undefined;
    const others = this.policy.witnesses.filter(
      ({ key }) => !claiming.some(({ witnesses }) => witnesses.some((w) => w.key === key)),
    );
    const possible = others.map(
      ({ key }): VerifiedSignature => ({ key, name: key.name, id: key.id, signature: new Uint8Array(0) }),
    );
    if (evaluateQuorum(this.policy, possible).met) return undefined;
    const claims = claiming.map(({ witnesses, claim }) => `${nameOf(witnesses)} (${claim})`).join(', ');
    return `witnesses say that they know more entries than this log has: ${claims}`;
  }

  /**
   * Looks at what every witness has cosigned before, and compares it with the store: at the start, before anything is signed.
   * Witnesses that do not answer are passed over.
   */
  async look(): Promise<void> {
    const { fetch } = this.#parts;
    const looks = await Promise.allSettled(
      this.#services.map(async (service) => {
        const client = new WitnessClient(service.url, { timeout: LOOK_TIMEOUT, ...(fetch === undefined ? {} : { fetch }) });
        await this.#show(service, client);
      }),
    );
    for (const look of looks) if (look.status === 'rejected') throw look.reason;
  }

  /**
   * Asks for cosignatures on a checkpoint. Ends when all have answered, when the time is over, or a little after the quorum is met.
   * @param published what the witnesses saw last, as far as the log knows
   * @returns lines that hold under the keys of the policy
   */
  async cosign(checkpoint: Uint8Array, published: StoredHead | null): Promise<readonly NoteSignature[]> {
    const { timeout, grace = 250 } = this.#parts;
    const lines: VerifiedSignature[] = [];
    const timers: NodeJS.Timeout[] = [];
    await new Promise<void>((resolve) => {
      let open = 0;
      timers.push(setTimeout(resolve, timeout));
      for (const service of this.#services) {
        if (service.busy) continue;
        open++;
        service.busy = true;
        const answered = this.#ask(service, checkpoint, published).then((signed) => {
          lines.push(...signed);
        });
        void answered.finally(() => {
          service.busy = false;
          open--;
          if (open === 0) resolve();
          else if (evaluateQuorum(this.policy, lines).met) timers.push(setTimeout(resolve, grace));
        });
      }
      if (open === 0) resolve();
    });
    for (const timer of timers) clearTimeout(timer);
    return [...lines];
  }

  /** Never rejects: what goes wrong is the witness's trouble. */
  async #ask(service: Service, checkpoint: Uint8Array, published: StoredHead | null): Promise<VerifiedSignature[]> {
    try {
      const signed = await this.#negotiate(service, checkpoint, published);
      service.trouble = undefined;
      return signed;
    } catch (error) {
      service.trouble = (error as Error).message;
      return [];
    }
  }

  async #negotiate(service: Service, checkpoint: Uint8Array, published: StoredHead | null): Promise<VerifiedSignature[]> {
    const { sequencer, clock } = this.#parts;
    const { text } = parseNote(checkpoint);
    const size = Number(parseCheckpoint(text).size);
    let known = service.size ?? published?.size ?? 0;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const old = Math.min(known, size);
      const proof = old === 0 || old === size ? [] : await sequencer.proveConsistency(old, size);
      const answer = await service.client.addCheckpoint({ oldSize: BigInt(old), proof, checkpoint });
      if ('signatures' in answer) {
        const signed = this.#verify(service, text, answer.signatures);
        service.size = size;
        service.time = clock();
        service.claim = undefined;
        return signed;
      }
      if (answer.known > BigInt(size)) await this.#ahead(service, answer.known, size);
      service.claim = undefined;
      known = Number(answer.known);
      service.size = known;
    }
    throw new ClientError('client/bad-answer', 'the witness names another size each time');
  }

  /** Only lines of the keys that the policy names for this witness count, and none that fails. */
  #verify(service: Service, text: string, signatures: readonly NoteSignature[]): VerifiedSignature[] {
    const { ed25519 } = this.#parts;
    const keys = service.witnesses.map(({ key }) => key);
    const { verified } = openNote({ text, signatures }, keys, ed25519);
    // One line for each key, and none without a time.
    const byKey = new Map(verified.filter(({ timestamp }) => timestamp !== undefined && timestamp > 0n).map((v) => [v.key, v]));
    if (byKey.size === 0) throw new ClientError('client/not-verified', 'the witness answers without a cosignature that holds');
    return [...byKey.values()];
  }

  /** The witness knows a larger tree. What it can show stops the log; what it only says is an alarm. */
  async #ahead(service: Service, known: bigint, size: number): Promise<never> {
    const name = nameOf(service.witnesses);
    const message = `it knows ${known} entries, and this log has ${size}`;
    this.#parts.onAlarm?.(name, message);
    await this.#show(service, service.client);
    service.claim = Number(known);
    throw new ClientError(
      'client/refused',
      `${message}: the witness is wrong, or an older copy of the log's store was brought back`,
    );
  }

  /** Asks for the head that a witness cosigned last, and compares it with the store if the log signed it. */
  async #show(service: Service, client: WitnessClient): Promise<void> {
    const { origin, sequencer, onAlarm } = this.#parts;
    try {
      const note = await client.checkpoint(createHash('sha256').update(origin).digest('hex'));
      if (note === undefined) return;
      const { size } = await sequencer.confront(note, `the head that ${nameOf(service.witnesses)} has cosigned`);
      service.size = size;
    } catch (error) {
      if (error instanceof SequencerError && error.code === 'sequencer/rolled-back') {
        onAlarm?.(nameOf(service.witnesses), error.message);
        throw error;
      }
      if (!(error instanceof ClientError || error instanceof NoteError || error instanceof SequencerError)) throw error;
      service.trouble = error.message;
    }
  }
}

/** The cosigner's own name: the first line of its signatures. */
function nameOf(witnesses: readonly PolicyWitness[]): string {
  return witnesses[0].key.name;
}

/**
 * A witness that has two keys stands twice in a policy. It may only do so within one group, where it counts once.
 */
function requireDistinct({ witnesses, groups }: TrustPolicy): void {
  const groupOf = (name: string): string | undefined => groups.find(({ members }) => members.includes(name))?.name;
  for (const [i, witness] of witnesses.entries()) {
    const twin = witnesses
      .slice(0, i)
      .find(({ key, url }) => key.name === witness.key.name || (url !== undefined && url === witness.url));
    if (twin === undefined) continue;
    const [a, b] = [groupOf(twin.name), groupOf(witness.name)];
    if (a !== undefined && b !== undefined && a !== b)
      throw new NoteError(
        'note/bad-policy',
        `${twin.name} and ${witness.name} are keys of one witness, which may not count in two groups`,
      );
  }
}

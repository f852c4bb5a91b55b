import { ClientError, type Fetch, WitnessClient } from '@treering/client';
import {
  type Checkpoint,
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
import { couldMakeQuorum, LOOK_TIMEOUT, originHash, type ShownHeads, vouchedSize } from './asked-witnesses.js';

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
  /** Called when a witness shows or says that the log is not what it cosigned. */
  readonly onAlarm?: (witness: string, message: string) => void;
}

/** What a circle of witnesses works with. */
export interface WitnessParts extends WitnessOptions {
  readonly origin: string;
  readonly sequencer: Pick<Sequencer<unknown>, 'head' | 'proveConsistency' | 'confront' | 'contains'>;
  readonly ed25519: Ed25519;
  /** The checkpoint that was published last before the start: whose lines stand on it has cosigned something. */
  readonly published?: StoredHead | null;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/**
 * Milliseconds by which the time of a cosignature may lie before the request for it. An older line was taken from what is published, by
 * somebody who answers in the place of the witness and does not have its key.
 */
const FRESH = 60_000;
/** Requests to one witness in a round: the first, and two after conflicts. */
const MOST_TRIES = 3;
/** Statuses of a refusal that says that the witness cosigned another history. */
const CONTRADICTS: readonly (number | undefined)[] = [409, 422];

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
  /** Entries in the published head that its line stood on at the start; 0 when there is none. */
  readonly vouched: number;
  /** It has answered what it cosigned last, at the start or later. */
  looked: boolean;
  /** What it says against the log and could not prove. Stands until it cosigns again. */
  claim: string | undefined;
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

  constructor(parts: WitnessParts) {
    const { policy, fetch, timeout, published, ed25519 } = parts;
    this.#parts = parts;
    this.policy = policy;
    const urls = [...new Set(policy.witnesses.flatMap(({ url }) => (url === undefined ? [] : [url])))];
    this.#services = urls.map((url) => {
      const witnesses = policy.witnesses.filter((witness) => witness.url === url);
      return {
        url,
        witnesses,
        client: new WitnessClient(url, { timeout, ...(fetch === undefined ? {} : { fetch }) }),
        busy: false,
        size: undefined,
        time: undefined,
        trouble: undefined,
        vouched: vouchedSize(published, witnesses, ed25519),
        looked: false,
        claim: undefined,
      };
    });
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
   * Why the log may not go on: so many witnesses contradict it that the quorum cannot be met without them. undefined when there
   * is no such reason.
   */
  get objection(): string | undefined {
    const claiming = this.#services.filter(({ claim }) => claim !== undefined);
    if (claiming.length === 0) return undefined;
    // Those without a URL are never asked, so that they agree with nothing.
    const others = this.#services.filter(({ claim }) => claim === undefined).flatMap(({ witnesses }) => witnesses);
    if (couldMakeQuorum(this.policy, others)) return undefined;
    const claims = claiming.map(({ witnesses, claim }) => `${nameOf(witnesses)} ${claim}`).join('; ');
    return `witnesses without which there is no quorum contradict it, until they cosign again: ${claims}`;
  }

  /**
   * Why nothing may be logged yet: since the start so many witnesses have not said what they cosigned that a head which this store
   * does not have may have had its quorum from them alone. An older copy may have been brought back, and its anchor with it. undefined
   * when enough have said it, and when the policy asks for nobody.
   */
  get silence(): string | undefined {
    const silent = this.#services.filter(({ looked }) => !looked).flatMap(({ witnesses }) => witnesses);
    if (silent.length === 0 || couldMakeQuorum(this.policy, [])) return undefined;
    // Those that claim to know another head may have cosigned it together with the silent ones.
    const claiming = this.#services.filter(({ claim }) => claim !== undefined).flatMap(({ witnesses }) => witnesses);
    if (!couldMakeQuorum(this.policy, [...silent, ...claiming])) return undefined;
    const names = [...new Set(silent.map(({ key }) => key.name))].join(', ');
    return `witnesses have not said since the start what they cosigned, and may know a newer head than the store has (${names})`;
  }

  /** Asks once more those that were silent, as long as nothing may be logged because of it. @throws SequencerError as `look` */
  async endSilence(): Promise<void> {
    if (this.silence !== undefined) await this.look();
  }

  /**
   * Looks at what every witness has cosigned that did not say so since the start, and compares it with the store, before anything is
   * signed. Witnesses that do not answer are passed over; each of them is looked at before it is first asked to cosign.
   * @param shown what some have answered just now
   */
  async look(shown: ShownHeads = new Map()): Promise<void> {
    const { fetch } = this.#parts;
    const looks = await Promise.allSettled(
      this.#services.map(async (service) => {
        if (service.looked) return;
        const client = new WitnessClient(service.url, { timeout: LOOK_TIMEOUT, ...(fetch === undefined ? {} : { fetch }) });
        const known = shown.has(service.url);
        const looked = known ? this.#compare(service, shown.get(service.url)) : this.#show(service, client);
        await looked.catch((error: unknown) => {
          if (!(error instanceof ClientError)) throw error;
          service.trouble = error.message;
        });
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
      return await this.#negotiate(service, checkpoint, published);
    } catch (error) {
      let trouble = error as Error;
      if (error instanceof ClientError && error.status !== undefined)
        await this.#doubt(service, error).catch((found: Error) => {
          trouble = found;
        });
      service.trouble = trouble.message;
      return [];
    }
  }

  async #negotiate(service: Service, checkpoint: Uint8Array, published: StoredHead | null): Promise<VerifiedSignature[]> {
    const { sequencer } = this.#parts;
    const { text } = parseNote(checkpoint);
    const size = Number(parseCheckpoint(text).size);
    if (!service.looked)
      await this.#show(service, service.client).catch((error: unknown) => {
        // One that does not say what it cosigned may cosign all the same.
        if (!(error instanceof ClientError) || error.code === 'client/unreachable') throw error;
      });
    let known = service.size ?? published?.size ?? 0;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const old = Math.min(known, size);
      const proof = old === 0 || old === size ? [] : await sequencer.proveConsistency(old, size);
      const asked = this.#parts.clock();
      const answer = await service.client.addCheckpoint({ oldSize: BigInt(old), proof, checkpoint });
      if ('signatures' in answer) {
        const signed = this.#verify(service, text, answer.signatures);
        service.size = size;
        this.#believe(service, signed, asked);
        return signed;
      }
      if (answer.known > BigInt(size)) await this.#ahead(service, answer.known);
      if (answer.known === BigInt(old))
        throw new ClientError('client/refused', `it has cosigned another head of ${old} entries`, { status: 409 });
      known = Number(answer.known);
      service.size = known;
    }
    throw new ClientError('client/bad-answer', 'the witness names another size each time');
  }

  /**
   * A witness has cosigned now: it cosigns nothing that is older than, or another history than, what it has cosigned. A line that it gave
   * long ago counts for the quorum of its head, and says nothing about what it has cosigned since.
   */
  #believe(service: Service, signed: readonly VerifiedSignature[], asked: number): void {
    const newest = Math.max(...signed.map(({ timestamp = 0n }) => Number(timestamp) * 1000));
    if (newest < asked - FRESH) {
      service.trouble = `answers with a cosignature of ${new Date(newest).toISOString()}, from before it was asked: its clock or that of the log is wrong, or something else answers in its place`;
      return;
    }
    service.time = this.#parts.clock();
    service.trouble = undefined;
    service.claim = undefined;
    service.looked = true;
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

  /** The witness knows a larger tree than that of this round. It may have it from anybody who was faster than the round. */
  async #ahead(service: Service, known: bigint): Promise<never> {
    const committed = this.#parts.sequencer.head?.size ?? 0;
    const shown = await this.#tryToShow(service);
    if (known <= BigInt(committed)) {
      service.size = Number(known);
      throw new ClientError('client/refused', `it knows ${known} entries already: it is ahead of this round`);
    }
    if (shown !== 'claimed') this.#claim(service, `says that it knows ${known}, more entries than this log has (${committed})`);
    throw new ClientError(
      'client/refused',
      `it knows ${known} entries, and this log has ${committed}: the witness is wrong, or an older copy of the log's store was brought back`,
    );
  }

  /** A witness that refuses may know another history: it is asked for what it cosigned last. */
  async #doubt(service: Service, refusal: ClientError): Promise<void> {
    const shown = await this.#tryToShow(service);
    if (shown === undefined && CONTRADICTS.includes(refusal.status))
      this.#claim(service, 'refuses the head of this log as inconsistent, and does not show which it has cosigned');
  }

  /** Like #show; a witness that cannot be asked shows nothing. */
  async #tryToShow(service: Service): Promise<number | 'claimed' | undefined> {
    try {
      return await this.#show(service, service.client);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return undefined;
    }
  }

  /**
   * Asks for the head that a witness cosigned last, and compares it with the store.
   * @returns its size when the store contains it, 'claimed' when that is not so and the log's keys do not prove it, undefined when
   *   the witness has no head that it vouches for
   * @throws ClientError when the witness does not answer; SequencerError (sequencer/rolled-back) when the head stops the log
   */
  async #show(service: Service, client: WitnessClient): Promise<number | 'claimed' | undefined> {
    return this.#compare(service, await client.checkpoint(originHash(this.#parts.origin)));
  }

  /** Like #show, for a head that was shown already. */
  async #compare(service: Service, note: Uint8Array | undefined): Promise<number | 'claimed' | undefined> {
    const { sequencer, onAlarm } = this.#parts;
    if (note === undefined) {
      this.#notice(service, 0);
      return undefined;
    }
    try {
      const { size } = await sequencer.confront(note, `the head that ${nameOf(service.witnesses)} has cosigned`);
      this.#notice(service, size);
      service.size = size;
      return size;
    } catch (error) {
      if (!(error instanceof SequencerError)) throw error;
      if (error.code === 'sequencer/rolled-back') {
        service.looked = true;
        onAlarm?.(nameOf(service.witnesses), error.message);
        throw error;
      }
      service.trouble = error.message;
    }
    return this.#compareUnproved(service, note);
  }

  /**
   * A witness shows how much it has cosigned, 0 for nothing. Less than its line on the published head stands for is no answer: it has
   * forgotten something, or somebody else answers in its place. What it cosigns itself ends that.
   */
  #notice(service: Service, size: number): void {
    if (size >= service.vouched) service.looked = true;
    if (service.looked) return;
    const what = size === 0 ? 'that it has cosigned nothing' : `a head of ${size} entries as its newest`;
    service.trouble = `shows ${what}, and its cosignature of ${service.vouched} is published: it has lost its store, or something else answers in its place`;
  }

  /** A head without a signature of a key in force stops nothing for good, but the witness that cosigned it may be right. */
  async #compareUnproved(service: Service, note: Uint8Array): Promise<number | 'claimed' | undefined> {
    const { origin, sequencer, ed25519 } = this.#parts;
    const keys = service.witnesses.map(({ key }) => key);
    let checkpoint: Checkpoint;
    try {
      checkpoint = parseCheckpoint(openNote(parseNote(note), keys, ed25519).text);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      return undefined;
    }
    if (checkpoint.origin !== origin) return undefined;
    // What is no head of this log that the witness vouches for, the page of a proxy for example, says nothing.
    this.#notice(service, Number(checkpoint.size));
    if (await sequencer.contains(checkpoint)) {
      service.size = Number(checkpoint.size);
      return service.size;
    }
    service.trouble = this.#claim(
      service,
      `shows a head of ${checkpoint.size} entries that the store does not contain and that no key in force here has signed: a newer key of this log signed it and a backup from before that key was brought back, or the witness is wrong`,
    );
    return 'claimed';
  }

  #claim(service: Service, claim: string): string {
    service.claim = claim;
    this.#parts.onAlarm?.(nameOf(service.witnesses), claim);
    return claim;
  }
}

/** The cosigner's own name: the first line of its signatures. */
function nameOf(witnesses: readonly PolicyWitness[]): string {
  return witnesses[0].key.name;
}

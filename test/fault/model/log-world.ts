import { nodeHasher } from '@treering/merkle/node';
import { evaluateQuorum, openCheckpoint } from '@treering/note';
import type { Publisher, Sequencer } from '@treering/sequencer';
import { type CommitBatch, createMemoryStorage, type ExpectedHead, StorageError, type StoredHead } from '@treering/storage';
import { ReferenceTree } from '../../../packages/merkle/test/reference.js';
import type { Choices } from './choices.js';
import { logSigner, policy, quickEd25519, trust, witnessedTrust, witnessSigners } from './model-keys.js';
import { ModelWitness, WITNESS_STEPS, type WitnessStep } from './model-witness.js';
import type { Parts } from './mutant.js';

/** What may become of something that a process does to its disk. */
const FATES = [
  'done',
  'done, then the process dies',
  'not done, the process dies',
  'not done, the disk is full',
  'done, but an error says that the disk is full',
  'not done, an error of the disk',
  'done, but there is an error of the disk',
] as const;
const READING = ['done', 'the disk is busy'] as const;
const MESSAGE = ['comes', 'is lost'] as const;
const COPIES = ['the newest', 'the one before the last commit'] as const;

type Change =
  | { readonly batch: CommitBatch; readonly expected: ExpectedHead }
  | { readonly published: StoredHead; readonly keep: boolean };

/** A process that lives until it dies. */
interface Life {
  dead: boolean;
  readonly died: Promise<'died'>;
  die(): void;
}

/** Of its own each time: one that all wait for would keep every run that ended there in memory. */
const never = (): Promise<never> => new Promise(() => undefined);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const encoder = new TextEncoder();
/** How often a client tries: more often than anything can go wrong in a run. */
const TRIES = 12;

/** How a world differs from the usual one. */
export interface WorldOptions {
  readonly parts: Parts;
  readonly witnessSteps?: readonly WitnessStep[];
  /** What clients submit, and when the head is published; those that stand together happen at once. */
  readonly script: readonly (readonly string[])[];
}

/** A log, its disk, its anchor, its two witnesses, and what everybody outside was told. */
export class LogWorld {
  readonly #choices: Choices;
  readonly #options: WorldOptions;
  #journal: Change[] = [];
  #disk = createMemoryStorage();
  #anchor: Uint8Array | null = null;
  #life: Life = newLife();
  #booting: Promise<void> | undefined;
  #sequencer!: Sequencer<string>;
  #publisher!: Publisher;
  readonly #witnesses = witnessSigners.map((signer) => new ModelWitness(signer));
  /** Roots of all heads that left the log, by size. */
  readonly #heads = new Map<number, string>();
  /** Indices of the texts that were acknowledged. */
  readonly #acknowledged = new Map<string, number>();
  /** What was promised and is not so. */
  #broken: Error | undefined;
  /** States after which everything was checked. */
  readonly states = new Set<string>();

  constructor(choices: Choices, options: WorldOptions) {
    this.#choices = choices;
    this.#options = options;
  }

  /** Runs the script to its end, whatever happens, and then once more with nothing going wrong. */
  async run(): Promise<void> {
    await this.#boot();
    for (const steps of [...this.#options.script, ['submit the last'], ['publish']])
      await Promise.all(steps.map((step) => this.#persist(step)));
    await this.#check();
    const size = (await this.#disk.head())?.size;
    const published = (await this.#disk.published())?.size;
    if (published !== size) throw new Error(`the log has ${size} entries and could publish only ${published}`);
  }

  /** Does a step again and again, as a client does, until it is done. */
  async #persist(step: string): Promise<void> {
    let last: unknown;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (this.#life.dead || this.#booting !== undefined) await this.#boot();
      const life = this.#life;
      const work = step === 'publish' ? this.#publish(life) : this.#submit(life, step);
      const outcome = await Promise.race([work.catch((error: unknown) => (last = error)), life.died]);
      if (this.#broken !== undefined) throw this.#broken;
      if (outcome === undefined) return;
      await turn();
    }
    throw new Error(`${step}: the log does not go on: ${String(last)}`);
  }

  async #submit(life: Life, text: string): Promise<void> {
    const bytes = encoder.encode(text);
    const submission = { bytes, leafHash: nodeHasher.hashLeaf(bytes), topic: '', candidate: text };
    const { index, head } = await this.#sequencer.submit(submission);
    if (life.dead) return never();
    this.#learn(head.note);
    const known = this.#acknowledged.get(text) ?? index;
    if (known !== index) this.#break(`${text} has the indices ${known} and ${index}`);
    this.#acknowledged.set(text, index);
    await this.#check();
  }

  async #publish(life: Life): Promise<void> {
    await this.#publisher.publish();
    if (life.dead) return never();
  }

  /** Takes in a head that left the log. */
  #learn(note: Uint8Array): void {
    const { size, root } = openCheckpoint(note, trust, quickEd25519).checkpoint;
    const known = this.#heads.get(Number(size)) ?? hex(root);
    if (known !== hex(root)) this.#break(`two histories: two heads of ${size} entries were let out`);
    this.#heads.set(Number(size), hex(root));
  }

  /** Something that a process does to what outlives it. */
  async #effect(life: Life, what: string, act: () => unknown): Promise<void> {
    await turn();
    if (life.dead) return never();
    const fate = this.#choices.choose(what, FATES);
    if (fate.startsWith('done')) await act();
    await this.#check();
    // Readers see the newest head at any time.
    const shown = this.#sequencer?.head;
    if (shown) this.#learn(shown.note);
    if (fate.endsWith('dies')) {
      life.die();
      return never();
    }
    if (fate.endsWith('full')) throw new StorageError('storage/full', fate);
    if (fate.endsWith('error of the disk')) throw new StorageError('storage/io', fate);
  }

  /** Starts the process on what is on the disk, as its supervisor does, until it runs. */
  #boot(): Promise<void> {
    this.#booting ??= this.#bootOnce().finally(() => {
      this.#booting = undefined;
    });
    return this.#booting;
  }

  async #bootOnce(): Promise<void> {
    let last: unknown;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const newest = { journal: this.#journal, disk: this.#disk };
      const isOld = this.#commits() > 0 && this.#choices.choose('at the start the store is', COPIES) !== 'the newest';
      if (isOld) await this.#bringBackAnOldCopy();
      this.#life = newLife();
      try {
        const opened = await Promise.race([this.#open(this.#life), this.#life.died]);
        if (opened === undefined) {
          await this.#check();
          return;
        }
      } catch (error) {
        last = error;
        this.#life.die();
        if (this.#broken !== undefined || !isCoded(error)) throw this.#broken ?? error;
      }
      // Whoever brought back the old copy sees that the log does not run, and brings back the newest one.
      if (isOld) [this.#journal, this.#disk] = [newest.journal, newest.disk];
    }
    throw new Error(`the log does not start: ${String(last)}`);
  }

  async #open(life: Life): Promise<void> {
    const disk = this.#disk;
    const { Sequencer, Publisher } = this.#options.parts;
    const anchor = {
      read: async () => this.#anchor,
      write: (note: Uint8Array) => this.#effect(life, 'the anchor is written', () => (this.#anchor = note)),
    };
    const storage = {
      ...disk,
      head: async () => {
        if (this.#choices.choose('the head is read', READING) !== 'done') throw new StorageError('storage/busy', 'busy');
        return disk.head();
      },
      commit: (batch: CommitBatch, expected: ExpectedHead) =>
        this.#effect(life, 'a batch is committed', async () => {
          await disk.commit(batch, expected);
          this.#journal.push({ batch, expected });
        }),
      publish: (published: StoredHead, keep = false) =>
        this.#effect(life, 'a checkpoint is published', async () => {
          await disk.publish(published, keep);
          this.#journal.push({ published, keep });
          this.#learn(published.note);
          const { cosignatures } = openCheckpoint(published.note, witnessedTrust, quickEd25519);
          if (!evaluateQuorum(policy, cosignatures).met) this.#break('a checkpoint without its quorum was published');
        }),
    };
    const admission = { admit: () => () => undefined, reload: async () => undefined };
    const common = { storage, anchor, trust, ed25519: quickEd25519, clock: () => 1_700_000_000_000 };
    const sequencer = await Sequencer.open<string>({
      ...common,
      signer: logSigner,
      admission,
      hasher: nodeHasher,
      gather: 0,
      onFatal: () => life.die(),
    });
    for (const witness of this.#witnesses) await this.#askForHead(witness, sequencer);
    this.#sequencer = sequencer;
    this.#publisher = await Publisher.open({
      ...common,
      anchor: sequencer.anchor,
      signers: [],
      policy,
      head: () => sequencer.head,
      ended: () => sequencer.ended,
      cosign: async (note) => {
        this.#learn(note);
        const lines = [];
        for (const witness of this.#witnesses) lines.push(...(await this.#askToCosign(witness, note, sequencer)));
        return lines;
      },
    });
  }

  /** Before anything is signed, witnesses that can be reached are asked what they have. */
  async #askForHead(witness: ModelWitness, sequencer: Sequencer<string>): Promise<void> {
    const known = witness.remembered;
    if (known === undefined || this.#choices.choose('a witness is asked for its head, and the answer', MESSAGE) === 'is lost')
      return;
    await sequencer.confront(known.note, witness.signer.key.name);
  }

  async #askToCosign(witness: ModelWitness, note: Uint8Array, sequencer: Sequencer<string>) {
    await turn();
    if (this.#choices.choose('a head is sent to a witness, and', MESSAGE) === 'is lost') return [];
    const size = Number(openCheckpoint(note, trust, quickEd25519).checkpoint.size);
    const before = witness.remembered?.size ?? size;
    const proof = before < size ? await sequencer.proveConsistency(before, size) : [];
    const head = witness.check({ note, proof });
    const lines = [];
    for (const step of this.#options.witnessSteps ?? WITNESS_STEPS) {
      if (this.#choices.choose(`a witness is about to ${step}, and`, ['does', 'dies']) === 'dies') break;
      if (step === 'remember') witness.remembered = head;
      else lines.push(witness.cosign(head));
    }
    await this.#check();
    return lines;
  }

  #commits(): number {
    return this.#journal.filter((change) => 'batch' in change).length;
  }

  async #bringBackAnOldCopy(): Promise<void> {
    this.#journal = this.#journal.slice(
      0,
      this.#journal.findLastIndex((change) => 'batch' in change),
    );
    this.#disk = createMemoryStorage();
    for (const change of this.#journal) {
      if ('batch' in change) await this.#disk.commit(change.batch, change.expected);
      else await this.#disk.publish(change.published, change.keep);
    }
  }

  /** Ends the run: nothing that happens later makes it good. */
  #break(message: string): never {
    this.#broken ??= new Error(message);
    throw this.#broken;
  }

  /** The two sentences, about everything that anybody was told so far. */
  async #check(): Promise<void> {
    const size = (await this.#disk.head())?.size ?? 0;
    const leaves = (await this.#disk.entryInfos(0, size)).map(({ leafHash }) => leafHash);
    for (const [text, index] of this.#acknowledged)
      if (index >= size || hex(leaves[index]) !== hex(nodeHasher.hashLeaf(encoder.encode(text))))
        this.#break(`lost: ${text} was acknowledged at ${index}, and the log goes on from ${size} entries without it`);
    const tree = new ReferenceTree(leaves);
    for (const [told, root] of this.#heads)
      if (told > size || hex(tree.root(told)) !== root)
        throw new Error(
          `two histories: a head of ${told} entries was let out, and the log goes on from ${size} entries without it`,
        );
    for (const { signer, remembered, answered } of this.#witnesses)
      if (answered !== undefined && (remembered === undefined || remembered.size < answered.size))
        this.#break(`${signer.key.name} cosigned ${answered.size} entries and would not know it after a crash`);
    this.states.add(
      JSON.stringify([
        size,
        [...this.#heads.keys()],
        [...this.#acknowledged],
        this.#witnesses.map((w) => w.remembered?.size),
        this.#anchor?.length,
        this.#journal.length,
      ]),
    );
  }
}

function newLife(): Life {
  let die: () => void = () => undefined;
  const died = new Promise<'died'>((resolve) => {
    die = () => resolve('died');
  });
  const life: Life = {
    dead: false,
    died,
    die() {
      life.dead = true;
      die();
    },
  };
  return life;
}

/** An error that the log gives, and none of this model. */
function isCoded(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === 'string';
}

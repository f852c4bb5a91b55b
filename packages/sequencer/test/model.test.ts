import { createHash } from 'node:crypto';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, type Ed25519, KEY_TYPE, type LogTrust, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type CommitBatch, createMemoryStorage, type ExpectedHead, StorageError, type StoredHead } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ReferenceTree } from '../../merkle/test/reference.js';
import { Publisher, Sequencer } from '../src/index.js';
import { rejection, submission } from './fixture.js';

// Every short history of submissions, faults, crashes, publications and restored copies, each against a new log. After every
// step: no two heads of one size were let out, no acknowledged entry is lost, and a restart on the newest copy succeeds.

const digest = (message: Uint8Array): Uint8Array => new Uint8Array(createHash('sha512').update(message).digest());
/** Stands for Ed25519 where nobody forges: thousands of logs sign here. */
const quick: Ed25519 = {
  name: 'digest',
  publicKey: (seed) => nodeEd25519.publicKey(seed),
  sign: (_, message) => digest(message),
  verify: (_, message, signature) => Buffer.compare(digest(message), signature) === 0,
};
const signer = createSigner('model.test/log', KEY_TYPE.ed25519, new Uint8Array(32).fill(3), quick);
const trust: LogTrust = { origin: signer.key.name, logKeys: [signer.key] };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const never = new Promise<never>(() => undefined);
/** Long enough for everything that waits for nothing but itself. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

type Change =
  | { readonly batch: CommitBatch; readonly expected: ExpectedHead }
  | { readonly published: StoredHead; readonly keep: boolean };
/** What becomes of the next commit: stored; not stored, and an error; stored, and an error; stored, and the process dies. */
type Fate = 'stored' | 'lost' | 'stored, error' | 'stored, crash' | 'anchored, crash';

/** One log, its disk, its anchor, and what everybody outside was told. */
class World {
  #journal: Change[] = [];
  #disk = createMemoryStorage();
  #anchor: Uint8Array | null = null;
  #fate: Fate = 'stored';
  #witness: 'quick' | 'slow' | 'silent' = 'quick';
  #sequencer!: Sequencer<string>;
  #publisher!: Publisher;
  #made = 0;
  #pending: string | undefined;
  /** The process that runs now. */
  #life: object = {};
  readonly #heads = new Map<number, string>();
  readonly #indices = new Map<string, number>();

  readonly steps: Record<string, () => Promise<void>> = {
    submit: () => this.#submit(this.#text()),
    'submit again': () => this.#submit(this.#pending as string),
    'commit fails': () => this.#failingSubmit('lost'),
    'commit fails though stored': () => this.#failingSubmit('stored, error'),
    'crash after the commit': () => this.#crashingSubmit('stored, crash'),
    'crash after the anchor': () => this.#crashingSubmit('anchored, crash'),
    crash: () => this.start(),
    publish: () => this.#publish('quick'),
    'publish while the log grows': () => this.#publish('slow'),
    'crash while witnesses are asked': async () => {
      void this.#publish('silent');
      await turns();
      await this.start();
    },
    'bring back an old copy': () => this.#restore(),
  };

  /** Starts the process on what is on the disk. What the process before it still does reaches neither disk nor anchor. */
  async start(): Promise<void> {
    const [disk, life] = [this.#disk, {}];
    this.#life = life;
    this.#witness = 'quick';
    const dead = (): boolean => this.#life !== life;
    const anchor = {
      read: async () => this.#anchor,
      write: async (note: Uint8Array) => {
        if (dead()) return never;
        this.#anchor = note;
        if (this.#fate === 'anchored, crash') await never;
      },
    };
    const storage = {
      ...disk,
      commit: async (batch: CommitBatch, expected: ExpectedHead) => {
        if (dead()) return never;
        if (this.#fate === 'lost') throw new StorageError('storage/full', 'no space');
        await disk.commit(batch, expected);
        this.#journal.push({ batch, expected });
        if (this.#fate === 'stored, error') throw new StorageError('storage/full', 'no space');
        if (this.#fate === 'stored, crash') await never;
      },
      publish: async (published: StoredHead, keep = false) => {
        if (dead()) return never;
        await disk.publish(published, keep);
        this.#journal.push({ published, keep });
      },
    };
    const admission = { admit: () => () => undefined, reload: async () => undefined };
    const common = { storage, anchor, trust, ed25519: quick, clock: () => 1_700_000_000_000 };
    this.#sequencer = await Sequencer.open({ ...common, signer, admission, hasher: nodeHasher });
    const sequencer = this.#sequencer;
    this.#publisher = await Publisher.open({
      ...common,
      anchor: sequencer.anchor,
      signers: [],
      head: () => sequencer.head,
      cosign: async (checkpoint) => {
        this.#learn(checkpoint);
        if (this.#witness === 'silent') await never;
        if (this.#witness === 'slow') await this.#submit(this.#text());
        return [];
      },
    });
  }

  /** Whether a step does anything here that a shorter history does not do. */
  allows(step: string, before: string | undefined): boolean {
    if (step === 'submit again') return this.#pending !== undefined;
    if (before === undefined) return /^(submit|commit|crash after)/.test(step);
    if (step === 'crash') return !/crash|old copy/.test(before);
    if (step === 'commit fails') return before !== step;
    return !(step === before && /publish|witnesses/.test(step));
  }

  #text(): string {
    return `entry ${this.#made++}`;
  }

  /** Takes in a head that left the log. */
  #learn(note: Uint8Array): void {
    const { size, root } = openCheckpoint(note, trust, quick).checkpoint;
    const known = this.#heads.get(Number(size));
    assert.ok(known === undefined || known === hex(root), `two heads of ${size} entries were let out`);
    this.#heads.set(Number(size), hex(root));
  }

  async #submit(text: string): Promise<void> {
    const { index, head } = await this.#sequencer.submit(submission(text));
    this.#learn(head.note);
    assert.is(index, this.#indices.get(text) ?? index, `${text} has two indices`);
    this.#indices.set(text, index);
    if (this.#pending === text) this.#pending = undefined;
  }

  async #failingSubmit(fate: Fate): Promise<void> {
    this.#fate = fate;
    this.#pending = this.#text();
    assert.is((await rejection(this.#sequencer.submit(submission(this.#pending)))).code, 'sequencer/unknown-outcome');
    this.#fate = 'stored';
    // The submitter is told before the log has read its position again.
    await turns();
  }

  async #crashingSubmit(fate: Fate): Promise<void> {
    this.#fate = fate;
    this.#pending = this.#text();
    const stored = this.#journal.length;
    let answer: unknown;
    this.#sequencer.submit(submission(this.#pending)).then(
      () => (answer = 'it was answered'),
      (error: unknown) => (answer = error),
    );
    await turns();
    assert.is(answer, undefined, 'the process died before it could answer');
    assert.is(this.#journal.length, stored + 1, 'the commit was stored');
    this.#fate = 'stored';
    await this.start();
  }

  async #publish(witness: 'quick' | 'slow' | 'silent'): Promise<void> {
    this.#witness = witness;
    const published = await this.#publisher.publish();
    this.#witness = 'quick';
    if (published !== null) this.#learn(published.note);
  }

  /** Brings back the store as it was before its newest commit. When the log refuses it, the newest copy comes back. */
  async #restore(): Promise<void> {
    const [journal, disk] = [this.#journal, this.#disk];
    const last = journal.findLastIndex((change) => 'batch' in change);
    if (last < 0) return;
    this.#journal = journal.slice(0, last);
    this.#disk = createMemoryStorage();
    for (const change of this.#journal) {
      if ('batch' in change) await this.#disk.commit(change.batch, change.expected);
      else await this.#disk.publish(change.published, change.keep);
    }
    const refused = await this.start().then(
      () => undefined,
      (error: { code?: string }) => error.code ?? String(error),
    );
    if (refused === undefined) return;
    assert.is(refused, 'sequencer/rolled-back');
    [this.#journal, this.#disk] = [journal, disk];
    await this.start();
  }

  async check(): Promise<void> {
    const size = (await this.#disk.head())?.size ?? 0;
    const leaves = (await this.#disk.entryInfos(0, size)).map(({ leafHash }) => leafHash);
    for (const [text, index] of this.#indices) {
      assert.ok(index < size, `${text} was acknowledged at ${index}, and the log goes on from ${size} entries`);
      assert.is(hex(leaves[index]), hex(submission(text).leafHash), `${text} was acknowledged at ${index}`);
    }
    const tree = new ReferenceTree(leaves);
    for (const [told, root] of this.#heads) {
      assert.ok(told <= size, `a head of ${told} entries was let out, and the log goes on from ${size}`);
      assert.is(hex(tree.root(told)), root, `the head of ${told} entries that was let out is no prefix of the log`);
    }
  }
}

/** Runs a history on a new log. False when a shorter one shows as much: every history is ended by the same two steps. */
async function run(history: readonly string[]): Promise<boolean> {
  if (history.length > 1 && /^(submit|publish|crash|commit fails)$/.test(history[history.length - 1])) return false;
  const world = new World();
  await world.start();
  for (const [i, step] of history.entries()) {
    if (!world.allows(step, history[i - 1])) return false;
    await world.steps[step]();
    await world.check();
  }
  for (const step of ['submit', 'publish']) await world.steps[step]();
  await world.check();
  return true;
}

for (const depth of [1, 2, 3, 4]) {
  test(`every history of ${depth} steps, a submission and a publication`, async () => {
    const names = Object.keys(new World().steps);
    const failures: string[] = [];
    let histories = 0;
    const explore = async (history: readonly string[]): Promise<void> => {
      if (history.length === depth) {
        const outcome = await run(history).catch((error: Error) => error.message);
        if (outcome !== false) histories++;
        if (typeof outcome === 'string') failures.push(`${history.join(', ')}: ${outcome}`);
        return;
      }
      for (const name of names) await explore([...history, name]);
    };
    await explore([]);
    console.log(`${histories} histories of ${depth} steps`);
    assert.ok(histories >= 3 ** depth, 'too few histories are explored');
    assert.is(failures.length, 0, `${failures.length} of ${histories} histories fail:\n${failures.slice(0, 10).join('\n')}`);
  });
}

test.run();

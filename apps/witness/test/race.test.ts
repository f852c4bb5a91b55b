import { encodeUtf8, openNote, parseNote, parseSignatureLine, type VerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { referenceLeaf } from '../../../packages/merkle/test/reference.js';
import { openWitness, WITNESS_SIGNERS } from './fixture.js';
import { TestLog } from './test-log.js';

const LOGS = 50;
const ROUNDS = 20;
const PARALLEL = 20;
const [ED25519] = WITNESS_SIGNERS;

let state = 20_260_701;
/** Numbers that are the same in every run. */
function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return (state >>> 8) % below;
}

/** A log whose key signs two continuations of whatever was cosigned last. */
class ForkingLog {
  readonly origin: string;
  /** What was cosigned: root in hex by size. */
  readonly cosigned = new Map<number, string>();
  readonly #signer;
  #leaves: Uint8Array[] = [];
  #made = 0;

  constructor(origin: string) {
    this.origin = origin;
    this.#signer = new TestLog(origin, []).signer;
  }

  get key(): VerifierKey {
    return this.#signer.key;
  }

  get size(): number {
    return this.#leaves.length;
  }

  /** Two logs that have what is cosigned in common, and nothing more. */
  fork(): [TestLog, TestLog] {
    const grow = (): TestLog =>
      new TestLog(
        this.origin,
        [...this.#leaves, ...Array.from({ length: 5 }, () => referenceLeaf(encodeUtf8(`entry ${this.#made++}`)))],
        this.#signer,
      );
    return [grow(), grow()];
  }

  /** Goes on with the history that the witness has now. */
  follow(branch: TestLog, size: number): void {
    this.#leaves = branch.tree.leaves.slice(0, size);
  }

  /** Every head that was ever cosigned is one of the history that is known at the end. */
  check(): void {
    const { tree } = new TestLog(this.origin, this.#leaves, this.#signer);
    for (const [size, root] of this.cosigned)
      assert.is(Buffer.from(tree.root(size)).toString('hex'), root, `${this.origin} at size ${size}`);
  }
}

test(`${LOGS * ROUNDS} rounds of ${PARALLEL} requests at once: sizes never fall, and one history is cosigned`, async () => {
  const { store, add } = openWitness(undefined, undefined, [ED25519]);
  const logs = Array.from({ length: LOGS }, (_, i) => new ForkingLog(`log.test/${i}`));
  store.addLogs(logs.map(({ origin, key }) => ({ origin, keys: [key] })));
  const answers = new Map<number, number>();

  const round = async (log: ForkingLog): Promise<void> => {
    const known = log.size;
    const branches = log.fork();
    const requests = Array.from({ length: PARALLEL }, () => {
      const branch = branches[random(2)];
      // Mostly from the known size, at times from one that another request of the round leads to.
      const old = known + (random(4) === 0 ? random(3) : 0);
      const size = old + random(3);
      return { branch, old, size, body: branch.add(old, size) };
    });
    const statuses = await Promise.all(
      requests.map(async ({ branch, size, body }) => {
        // Some come while others are written, and some just after.
        for (let turns = random(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        const response = await add(body);
        answers.set(response.status, (answers.get(response.status) ?? 0) + 1);
        const answer = await response.text();
        if (response.status === 409) assert.ok(Number(answer) >= known, `${answer} is less than ${known}`);
        if (response.status !== 200) return response.status;
        const signatures = answer.slice(0, -1).split('\n').map(parseSignatureLine);
        openNote({ text: parseNote(branch.head(size)).text, signatures }, [ED25519.key], nodeEd25519);
        const root = Buffer.from(branch.tree.root(size)).toString('hex');
        assert.is(log.cosigned.get(size) ?? root, root, `two roots for size ${size} of ${log.origin}`);
        log.cosigned.set(size, root);
        return 200;
      }),
    );
    assert.ok(statuses.every((status) => [200, 409, 422].includes(status)));
    const head = store.head(log.origin);
    const size = Number(head?.size ?? 0n);
    assert.ok(size >= known);
    assert.is(size, Math.max(known, ...log.cosigned.keys()), 'the head is the largest that was cosigned');
    const branch = branches.find(({ tree }) => Buffer.from(tree.root(size)).equals(head?.root ?? tree.root(size)));
    assert.ok(branch !== undefined);
    log.follow(branch as TestLog, size);
  };

  for (let i = 0; i < ROUNDS; i++) {
    // Five logs at a time, so that one transaction holds heads of several.
    for (let first = 0; first < LOGS; first += 5) await Promise.all(logs.slice(first, first + 5).map(round));
  }
  for (const log of logs) log.check();
  assert.is(
    [...answers.values()].reduce((sum, n) => sum + n),
    LOGS * ROUNDS * PARALLEL,
  );
  for (const status of [200, 409, 422]) assert.ok((answers.get(status) ?? 0) > 100, `${status}: ${answers.get(status)}`);
});

test('of twenty identical requests one goes on, and the others learn the size', async () => {
  const { store, add } = openWitness();
  const log = new TestLog();
  store.addLogs([{ origin: log.origin, keys: [log.signer.key] }]);
  const body = log.add(0, 7);
  const answers = await Promise.all(Array.from({ length: PARALLEL }, () => add(body)));
  const statuses = answers.map(({ status }) => status);
  assert.is(statuses.filter((status) => status === 200).length, 1);
  assert.is(statuses.filter((status) => status === 409).length, PARALLEL - 1);
  for (const answer of answers) if (answer.status === 409) assert.is(await answer.text(), '7\n');
});

test.run();

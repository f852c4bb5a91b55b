import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { encodeEvent, type MeasuredEvent, replayEvents } from '@treering/attestation';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MeasuredLog } from '../src/measured-log.js';

const top = mkdtempSync(join(tmpdir(), 'treering-measured-'));
test.after(() => rmSync(top, { recursive: true, force: true }));

const event = (fill: number): MeasuredEvent => ({
  pcr: 13,
  digest: new Uint8Array(32).fill(fill),
  kind: 'file',
  name: `file ${fill}`,
});

/** A register, and a machine that stops when it is told to. */
class Machine {
  readonly folder = mkdtempSync(join(top, 'host-'));
  resets = 1;
  restarts = 0;
  value = new Uint8Array(32);
  stopped = false;

  boot() {
    return Promise.resolve({ resets: this.resets, restarts: this.restarts });
  }

  readPcr() {
    return Promise.resolve(this.value);
  }

  extend(_: number, digest: Uint8Array): Promise<void> {
    if (this.stopped) return Promise.reject(new Error('the machine stopped'));
    const before = this.value;
    this.value = new Uint8Array(replayFrom(before, digest));
    return Promise.resolve();
  }

  reset(): void {
    this.resets++;
    this.value = new Uint8Array(32);
  }

  get path(): string {
    return join(this.folder, 'register-13.events');
  }

  /** Measures files, and returns all that the log holds then. */
  measure(...fills: number[]): Promise<number[]> {
    return MeasuredLog.use(this.folder, this, 13, async (log) => {
      for (const fill of fills) await log.measure(event(fill));
      assert.equal(replayEvents(log.events), this.value);
      return log.events.map(({ digest }) => digest[0]);
    });
  }

  async refusal(): Promise<string> {
    try {
      await this.measure();
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
      return `${code}: ${message}`;
    }
    throw new Error('it was opened');
  }
}

function replayFrom(before: Uint8Array, digest: Uint8Array): Uint8Array {
  return createHash('sha256').update(before).update(digest).digest();
}

test('what was measured is there the next time', async () => {
  const host = new Machine();
  assert.equal(await host.measure(1, 2), [1, 2]);
  assert.equal(await host.measure(3), [1, 2, 3]);
  assert.equal(await host.measure(), [1, 2, 3]);
});

test('an event that was written and not extended is extended when the log is next opened', async () => {
  for (const before of [[], [1, 2]]) {
    const host = new Machine();
    await host.measure(...before);
    host.stopped = true;
    await host.measure(9).catch(() => undefined);
    host.stopped = false;
    assert.equal(await host.measure(), [...before, 9]);
    assert.equal(await host.measure(), [...before, 9]);
  }
});

test('a line that was being written is cut off', async () => {
  const host = new Machine();
  await host.measure(1);
  appendFileSync(
    host.path,
    Buffer.from(encodeEvent(event(2)))
      .toString('base64')
      .slice(0, 30),
  );
  assert.equal(await host.measure(3), [1, 3]);
});

test('after a reset the log begins again, and the one before is kept', async () => {
  const host = new Machine();
  await host.measure(1);
  host.reset();
  assert.equal(await host.measure(2), [2]);
  assert.ok(readdirSync(host.folder).includes('register-13.events.1-0'));
});

test('after a machine was suspended, the log goes on', async () => {
  const host = new Machine();
  await host.measure(1);
  host.restarts++;
  assert.equal(await host.measure(2), [1, 2]);
});

test('what the log does not explain is refused', async () => {
  const fresh = new Machine();
  await fresh.extend(13, event(1).digest);
  assert.match(await fresh.refusal(), /^tpm\/unexplained: register 13 holds something before anything was measured here/);
  const extended = new Machine();
  await extended.measure(1);
  await extended.extend(13, event(2).digest);
  assert.match(await extended.refusal(), /^tpm\/unexplained: register 13 holds something that its event log does not explain/);
  const setBack = new Machine();
  await setBack.measure(1, 2);
  setBack.value = new Uint8Array(32);
  assert.match(await setBack.refusal(), /^tpm\/unexplained/);
  const two = new Machine();
  await two.measure(1);
  for (const fill of [2, 3]) appendFileSync(two.path, `${Buffer.from(encodeEvent(event(fill))).toString('base64')}\n`);
  assert.match(await two.refusal(), /^tpm\/unexplained/);
});

test('a file that is no event log is refused, and left as it is', async () => {
  const host = new Machine();
  await host.measure(1);
  const text = readFileSync(host.path, 'utf8');
  for (const [wrong, why] of [
    [text.replace('register 13', 'register 14'), /is no event log of register 13/],
    ['something else\n', /is no event log of register 13/],
    ['', /is no event log of register 13/],
    [`${text}AAAA\n`, /cannot be read/],
  ] as const) {
    writeFileSync(host.path, wrong);
    assert.match(await host.refusal(), why);
    assert.is(readFileSync(host.path, 'utf8'), wrong);
  }
});

/** The name of a lock of a process. */
const lockOf = (host: Machine, pid: number): string => `${host.path}.lock.${pid}-${randomUUID()}`;
const GONE = 4_194_305;
const locks = (host: Machine): string[] => readdirSync(host.folder).filter((name) => name.includes('.lock'));

test('one process at a time; the lock of a process that is gone holds nobody up', async () => {
  const host = new Machine();
  await host.measure(1);
  const held = lockOf(host, process.ppid);
  writeFileSync(held, '');
  assert.match(await host.refusal(), /^cli\/usage: .*is there: another "treering attest" is at work/);
  assert.equal(locks(host), [basename(held)]);
  rmSync(held);
  for (let i = 0; i < 3; i++) writeFileSync(lockOf(host, GONE), '');
  assert.equal(await host.measure(2), [1, 2]);
  assert.equal(locks(host), []);
});

test('an empty lock that a crash has left holds nobody up', async () => {
  const host = new Machine();
  await host.measure(1);
  writeFileSync(`${host.path}.lock`, '');
  assert.equal(await host.measure(2), [1, 2]);
});

test('of many that find the lock of a process that is gone, one is at work at a time', async () => {
  for (let round = 0; round < 20; round++) {
    const host = new Machine();
    await host.measure();
    for (let i = 0; i <= round % 3; i++) writeFileSync(lockOf(host, GONE), '');
    writeFileSync(`${host.path}.lock`, `${GONE}\n`);
    let working = 0;
    const one = (fill: number): Promise<number> =>
      MeasuredLog.use(host.folder, host, 13, async (log) => {
        assert.is(++working, 1, 'two at once');
        await log.measure(event(fill));
        await setTimeout(5);
        working--;
        return fill;
      });
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(one));
    const done = outcomes.filter(({ status }) => status === 'fulfilled');
    assert.ok(done.length > 0);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') assert.match(String(outcome.reason), /another "treering attest" is at work/);
    assert.is((await host.measure()).length, done.length);
    assert.equal(
      locks(host).filter((name) => !name.endsWith('.lock')),
      [],
    );
  }
});

test.run();

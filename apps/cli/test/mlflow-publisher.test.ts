import { ClientError } from '@treering/client';
import { RecorderError } from '@treering/recorder';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createPublisher } from '../src/mlflow-publisher.js';
import type { Session } from '../src/session.js';

// What becomes of attachments that a log does not take.

/** A publisher to a log that answers uploads of these digests with these statuses, and what the log has taken. */
function publisher(statuses: Readonly<Record<string, number>>) {
  const taken: string[] = [];
  const putAttachment = async (digest: string): Promise<void> => {
    const status = statuses[digest];
    if (status !== undefined) throw new ClientError('client/refused', `the log answers ${status}`, { status });
    taken.push(digest);
  };
  const session = { client: () => ({ putAttachment }) } as unknown as Session;
  const attachments = ['a', 'b', 'c'].map((digest) => ({ digest, blob: new Uint8Array() }));
  const upload = async (): Promise<string | undefined> => {
    try {
      await createPublisher(session, 'public', '').upload({ statement: new Uint8Array(), attachments }, 7);
      return undefined;
    } catch (error) {
      assert.instance(error, RecorderError);
      return (error as RecorderError).code;
    }
  };
  return { taken, upload };
}

test('an attachment that is refused holds up no other, and is not forgotten', async () => {
  for (const [statuses, code, wanted] of [
    [{}, undefined, ['a', 'b', 'c']],
    [{ a: 403 }, 'recorder/refused', ['b', 'c']],
    [{ a: 413, c: 404 }, 'recorder/refused', ['b']],
    [{ b: 503 }, 'recorder/unavailable', ['a']],
    [{ a: 403, b: 429 }, 'recorder/unavailable', []],
  ] as const) {
    const { taken, upload } = publisher(statuses);
    assert.equal([await upload(), taken], [code, wanted]);
  }
});

test.run();

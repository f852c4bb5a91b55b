import { MirrorClient } from '@treering/client';
import { timeText } from '@treering/evidence';
import { nodeHasher } from '@treering/merkle/node';
import { parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { printable } from '@treering/record';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';

/** `witness feed`: uploads what a mirror does not have yet of a log, once, and says which head it covers then. */
export async function feedMirror({ terminal, settings, trust }: Session, url: string, vkeys: readonly string[]): Promise<void> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new UsageError(`${url} is no URL of a mirror`);
  const client = new MirrorClient({
    logUrl: settings.url,
    mirrorUrl: url,
    trust: trust(),
    mirrorKeys: vkeys.map(parseVerifierKey),
    hasher: nodeHasher,
    ed25519: nodeEd25519,
  });
  const bar = terminal.progress('uploading');
  const { head, cosignatures, uploaded } = await client.feed((next, size) => bar.update(next, size)).finally(() => bar.stop());
  const { origin } = trust();
  const [{ key, timestamp }] = cosignatures;
  const time = timeText(timestamp ?? 0n);
  terminal.line(`${printable(key.name)} keeps all ${head.size} entries of ${printable(origin)}, it says at ${time}`);
  terminal.line(`  uploaded  ${uploaded} entries`);
  terminal.line(`  root      ${Buffer.from(head.root).toString('hex')}`);
  terminal.result({
    origin,
    mirror: key.name,
    size: head.size,
    root: Buffer.from(head.root).toString('hex'),
    time,
    uploaded,
    keys: cosignatures.map(({ key: { name, id } }) => `${name}+${id}`),
  });
}

import { encodeItem, type PackReport, readPack, verifyPack } from '@treering/evidence';
import { parsePolicy } from '@treering/note';
import { checkSignature, type SignatureCheck } from '@treering/statement';

/**
 * What Node says of a pack under a policy, with decisions looked at as the page does.
 * @throws EvidenceError
 */
export function verifiedInNode(pack: Uint8Array, policy: string): Promise<PackReport> {
  const means = { checkSignature: (check: SignatureCheck) => checkSignature(check) };
  return verifyPack(pack, { policy: parsePolicy(policy), means }, { onDecision: () => undefined });
}

/** The same pack with a policy in its header, of which nothing is proved. */
export async function suggesting(pack: Uint8Array, policy: string): Promise<Uint8Array> {
  for await (const item of readPack(pack)) {
    if (item.kind !== 'header') break;
    const header = encodeItem({ kind: 'header', header: { ...item.header, suggested_policy: policy } });
    return new Uint8Array(Buffer.concat([pack.subarray(0, 12), header, pack.subarray(await headerEnd(pack))]));
  }
  throw new Error('the pack has no header');
}

/** Where the header of a pack ends, in bytes. */
export async function headerEnd(pack: Uint8Array): Promise<number> {
  let taken = 0;
  async function* byteByByte(): AsyncGenerator<Uint8Array> {
    for (const byte of pack) {
      taken++;
      yield Uint8Array.of(byte);
    }
  }
  for await (const item of readPack(byteByByte())) if (item.kind === 'header') break;
  return taken;
}

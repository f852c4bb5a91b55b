import { verifyPack } from '@treering/evidence';
import { checkSignature } from '@treering/statement';
import { PackContent } from '../src/model/content.js';
import { readTrust } from '../src/model/trust-text.js';
import { POLICY_TEXT } from './ward.js';

/** What the page would know of a pack after it was verified. */
export async function contentOf(pack: Uint8Array, trust = POLICY_TEXT): Promise<PackContent> {
  const content = new PackContent();
  await verifyPack(pack, { policy: readTrust(trust), means: { checkSignature: (check) => checkSignature(check) } }, content);
  return content;
}

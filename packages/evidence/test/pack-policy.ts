import { formatVerifierKey } from '@treering/note';
import { witnesses } from './fixture.js';
import { logKeys } from './pack-log.js';

/** A reader's trust policy as text: the log's keys, and both witnesses. */
export const POLICY_TEXT = [
  ...logKeys.map(({ key }) => `log ${formatVerifierKey(key)}`),
  ...witnesses.map(({ key }) => `witness ${key.name} ${formatVerifierKey(key)}`),
  'group both all w1.test w2.test',
  'quorum both',
  '',
].join('\n');

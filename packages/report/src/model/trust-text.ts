import { NoteError, parsePolicy, type TrustPolicy } from '@treering/note';

const KEYWORD = /^[ \t]*(?:log|witness|group|quorum)[ \t]/m;

/**
 * What a reader trusts, from what she pasted: a policy (https://c2sp.org/tlog-policy), or keys of a log, one a line, for which no
 * witness is asked.
 * @throws NoteError (note/bad-policy) with the number of the line
 */
export function readTrust(text: string): TrustPolicy {
  const lines = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  if (lines.trim() === '') throw new NoteError('note/bad-policy', 'there is no key and no policy');
  if (KEYWORD.test(lines)) return parsePolicy(lines);
  const asPolicy = lines
    .split('\n')
    .map((line) => line.trim())
    .map((line) => (line === '' || line.startsWith('#') ? '' : `log ${line}`));
  return parsePolicy([...asPolicy, 'quorum none', ''].join('\n'));
}

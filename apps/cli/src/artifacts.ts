import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Claim } from '@treering/evidence';
import { ForeignError, IN_TOTO_PAYLOAD, parseInToto } from '@treering/foreign';
import { printable } from '@treering/record';
import type { SignedStatement } from '@treering/statement';

/** A file that an entry is said to be about. */
interface Artifact {
  readonly name: string;
  /** SHA-256 in hex. */
  readonly digest: string;
}

/** Claims that must be proved beside those of the proof file: that the entry is about the files, and that a known key signed it. */
export const REQUIRED_ARTIFACT_CLAIMS: readonly string[] = ['statement-signed', 'artifact'];

/**
 * Whether each file is one that the in-toto statement in an entry names, by its name and its SHA-256: a file of another name could be
 * put in the place of one that was released as well. Whether the entry is logged and signed, other claims say.
 * @param paths absolute
 */
export async function artifactClaims(statement: SignedStatement | undefined, paths: readonly string[]): Promise<Claim[]> {
  const artifacts = await Promise.all(paths.map(async (path) => ({ name: basename(path), digest: await sha256Of(path) })));
  const named = subjectsOf(statement);
  return artifacts.map((artifact) => claimAbout(artifact, named));
}

function claimAbout({ name, digest }: Artifact, named: readonly Artifact[] | string): Claim {
  const claim = (verdict: Claim['verdict'], text: string): Claim => ({
    name: 'artifact',
    verdict,
    text,
    details: [`SHA-256 of the file: ${digest}`],
  });
  if (typeof named === 'string') return claim('not proved', `Nothing is said of ${name}: ${named}.`);
  if (named.some((subject) => subject.name === name && subject.digest === digest))
    return claim('proved', `${name} is a file that the entry names, with this digest.`);
  const same = named.find((subject) => subject.digest === digest);
  if (same !== undefined) return claim('failed', `${name} is what the entry calls ${same.name}.`);
  const expected = named.find((subject) => subject.name === name);
  if (expected === undefined) return claim('failed', `The entry does not name ${name}.`);
  return claim('failed', `${name} is another file than the entry names: its SHA-256 should be ${expected.digest}.`);
}

/** What the statement names, or why it names nothing. */
function subjectsOf(statement: SignedStatement | undefined): readonly Artifact[] | string {
  if (statement === undefined) return 'the entry cannot be read';
  if (statement.contentType !== IN_TOTO_PAYLOAD) return 'the entry is no in-toto statement';
  try {
    const { subjects } = parseInToto(statement.payload);
    return subjects.map(({ name, digests }) => ({ name, digest: digests.sha256 ?? '' }));
  } catch (error) {
    if (!(error instanceof ForeignError)) throw error;
    return printable(error.message);
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

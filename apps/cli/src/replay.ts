import { ClientError, type LogClient, type VerifiedHead } from '@treering/client';
import { nodeMeans } from '@treering/foreign/node';
import {
  Audit,
  type Audited,
  type AuditFinding,
  type Candidate,
  type GovernanceState,
  prepareAhead,
} from '@treering/governance';
import { type LogTrust, NoteError, openCheckpoint, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { printable } from '@treering/record';
import { readProgress, writeProgress } from './progress-file.js';
import { SeenDeployments } from './seen-deployments.js';
import type { Session } from './session.js';

/** What a whole log amounts to, by nothing but its entries. */
export interface ReplayedLog {
  readonly head: VerifiedHead;
  /** The rules for the next entry. */
  readonly state: GovernanceState;
  /** Every deployment that was admitted, also those of earlier replays that this one goes on from. */
  readonly deployments: SeenDeployments;
}

/** What is told on the way. */
export interface ReplayListener {
  /** A file that says how far the log was replayed before, and is brought up to date. */
  readonly resume?: string;
  /** Each entry before it is decided about; undefined for bytes that are no statement. */
  readonly onRead?: (content: Candidate | undefined) => void;
  /** An entry that the rules in force for it admit; `state` has taken it in. */
  readonly onEntry?: (index: number, candidate: Candidate, state: GovernanceState) => void;
  readonly onFinding: (finding: AuditFinding) => void;
}

/**
 * Replays a log under its newest head, and decides every admission again. What is told on the way is proved to be in that head.
 * @throws ClientError
 */
export async function replayLog(session: Session, client: LogClient, listener: ReplayListener): Promise<ReplayedLog> {
  const head = await client.head();
  const { origin } = session.trust();
  const begun = listener.resume === undefined ? undefined : await readProgress(listener.resume, origin);
  const follower = client.follower(begun?.position);
  const replay = begun === undefined ? new Audit(nodeMeans) : new Audit(nodeMeans, { state: begun.state, size: follower.size });
  const { state } = replay;
  const deployments = begun?.deployments ?? new SeenDeployments();
  const bar = session.terminal.progress('replaying');
  let keys = state.logKeys;
  let keysFrom = begun?.keysFrom ?? 0;
  let clean = true;
  const onDecided = (audited: Audited, index: number): void => {
    if (audited.admitted) {
      deployments.see(index, audited.candidate);
      listener.onEntry?.(index, audited.candidate, state);
    } else {
      clean = false;
      listener.onFinding(audited.finding);
    }
    if (state.logKeys !== keys) [keys, keysFrom] = [state.logKeys, index];
  };
  const { onRead } = listener;
  try {
    for await (const { prepared } of prepareAhead(replay, follower.follow(head))) {
      await replay.decide(prepared, onRead === undefined ? { onDecided } : { onRead, onDecided });
      bar.update(replay.size, head.size);
    }
  } finally {
    bar.stop();
  }
  // What is against the rules is found again each time.
  if (listener.resume !== undefined && clean)
    await writeProgress(listener.resume, origin, { position: follower.position(), state, keysFrom, deployments });
  const other = state.charter === undefined ? undefined : otherLog(state, head, session.trust(), keysFrom);
  if (other !== undefined) listener.onFinding(other);
  return { head, state, deployments };
}

/**
 * The rules in force of the configured log, proved by a replay.
 * @throws ClientError client/not-verified when something is in the log against its rules
 */
export async function provedRules(
  session: Session,
  client: LogClient,
  { onEntry, resume }: Pick<ReplayListener, 'onEntry' | 'resume'> = {},
): Promise<ReplayedLog> {
  const onFinding = ({ index, message }: AuditFinding): never => {
    throw new ClientError(
      'client/not-verified',
      `the log does not keep to its own rules (entry ${index}: ${printable(message)}); "treering audit" says more`,
    );
  };
  return replayLog(session, client, {
    onFinding,
    ...(onEntry === undefined ? {} : { onEntry }),
    ...(resume === undefined ? {} : { resume }),
  });
}

/** The rules within a log could be somebody else's: its charter names the log, and the keys that it names sign the head. */
function otherLog(state: GovernanceState, head: VerifiedHead, trust: LogTrust, keysFrom: number): AuditFinding | undefined {
  const { origin } = trust;
  const of = state.charter?.origin;
  if (of !== origin)
    return {
      index: 0,
      code: 'governance/bad-charter',
      rule: 'charter',
      message: `the charter is for ${of}, and this log is ${origin}`,
    };
  try {
    openCheckpoint(head.note, { origin, logKeys: state.logKeys.map(parseVerifierKey) }, nodeEd25519);
    return undefined;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    return {
      index: keysFrom,
      code: 'audit/other-keys',
      rule: 'charter',
      message: `none of the log's keys that this entry names signed the head of ${head.size} entries (${error.message})`,
    };
  }
}

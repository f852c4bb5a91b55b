import { ClientError } from '@treering/client';
import { EvaluationError } from '@treering/evaluation';
import { EvidenceError } from '@treering/evidence';
import { GovernanceError } from '@treering/governance';
import { KeyError } from '@treering/keys';
import { ConfigError } from '@treering/log';
import { MonitorConfigError } from '@treering/monitor';
import { NoteError } from '@treering/note';
import { RecordError } from '@treering/record';
import { ReportError } from '@treering/report';
import { SequencerError } from '@treering/sequencer';
import { StatementError } from '@treering/statement';
import { StorageError } from '@treering/storage';
import { EXIT, UsageError } from './exit-codes.js';
import { GateRefusal } from './gate/refusal.js';
import { ChildFailure } from './supervised.js';
import { TpmError } from './tpm.js';

export { EXIT, UsageError };

/** The exit code of an error, and its stable code. The one place where errors become exit codes. */
export function exitOf(error: unknown): { exit: number; code: string; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown }).code;
  const as = (exit: number): { exit: number; code: string; message: string } => ({
    exit,
    code: typeof code === 'string' ? code : 'internal',
    message,
  });
  if (error instanceof ClientError) {
    if (error.code === 'client/unreachable') return as(EXIT.unreachable);
    if (error.code !== 'client/refused') return as(EXIT.failed);
    const refused = error.status === 401 || error.status === 403 || error.status === 409;
    const exit = refused ? EXIT.refused : (error.status ?? 0) >= 500 || error.status === 429 ? EXIT.unreachable : EXIT.usage;
    return { exit, code: error.problem ?? error.code, message };
  }
  if (error instanceof GateRefusal) return as(EXIT.refused);
  if (error instanceof ChildFailure) return { exit: error.exit, code: error.code, message };
  if (error instanceof TpmError) {
    const exits = { 'tpm/missing': EXIT.usage, 'tpm/unreachable': EXIT.unreachable } as Readonly<Record<string, number>>;
    return as(exits[error.code] ?? EXIT.failed);
  }
  const usage = [UsageError, ConfigError, MonitorConfigError, NoteError, RecordError, KeyError, ReportError, EvaluationError];
  if (usage.some((kind) => error instanceof kind)) return as(EXIT.usage);
  if (
    error instanceof EvidenceError ||
    error instanceof StatementError ||
    error instanceof GovernanceError ||
    error instanceof SequencerError
  )
    return as(EXIT.failed);
  if (error instanceof StorageError)
    return as(error.code === 'storage/missing' || error.code === 'storage/schema' ? EXIT.usage : EXIT.failed);
  if (
    typeof code === 'string' &&
    ['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EEXIST', 'EADDRINUSE', 'EADDRNOTAVAIL'].includes(code)
  )
    return as(EXIT.usage);
  return as(EXIT.failed);
}

import type { ClientError } from '@treering/client';
import type { EvaluationError } from '@treering/evaluation';
import type { KeyError } from '@treering/keys';
import type { ConfigError } from '@treering/log';
import type { MonitorConfigError } from '@treering/monitor';
import type { NoteError } from '@treering/note';
import type { RecordError } from '@treering/record';
import type { ReportError } from '@treering/report';
import type { StorageError } from '@treering/storage';
import { EXIT, UsageError } from './exit-codes.js';
import { GateRefusal } from './gate/refusal.js';
import { ChildFailure } from './supervised.js';
import type { TpmError } from './tpm.js';

export { EXIT, UsageError };

/** Errors that say that something was given which cannot be used. */
type Mistake = ConfigError | MonitorConfigError | NoteError | RecordError | KeyError | ReportError | EvaluationError;
const MISTAKES: Readonly<Record<Mistake['name'], true>> = {
  ConfigError: true,
  MonitorConfigError: true,
  NoteError: true,
  RecordError: true,
  KeyError: true,
  ReportError: true,
  EvaluationError: true,
};

/** What Node says of files and addresses that cannot be used. */
const SYSTEM_MISTAKES = ['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EEXIST', 'EADDRINUSE', 'EADDRNOTAVAIL'];

/** The exit code of an error, and its stable code. The one place where errors become exit codes. */
export function exitOf(error: unknown): { exit: number; code: string; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown }).code;
  const as = (exit: number): { exit: number; code: string; message: string } => ({
    exit,
    code: typeof code === 'string' ? code : 'internal',
    message,
  });
  if (isA<ClientError>(error, 'ClientError')) {
    if (error.code === 'client/unreachable') return as(EXIT.unreachable);
    if (error.code !== 'client/refused') return as(EXIT.failed);
    const refused = error.status === 401 || error.status === 403 || error.status === 409;
    const exit = refused ? EXIT.refused : (error.status ?? 0) >= 500 || error.status === 429 ? EXIT.unreachable : EXIT.usage;
    return { exit, code: error.problem ?? error.code, message };
  }
  if (error instanceof GateRefusal) return as(EXIT.refused);
  if (error instanceof ChildFailure) return { exit: error.exit, code: error.code, message };
  if (isA<TpmError>(error, 'TpmError')) {
    const exits = { 'tpm/missing': EXIT.usage, 'tpm/unreachable': EXIT.unreachable } as Readonly<Record<string, number>>;
    return as(exits[error.code] ?? EXIT.failed);
  }
  if (error instanceof UsageError || isMistake(error)) return as(EXIT.usage);
  if (isA<StorageError>(error, 'StorageError'))
    return as(error.code === 'storage/missing' || error.code === 'storage/schema' ? EXIT.usage : EXIT.failed);
  return as(typeof code === 'string' && SYSTEM_MISTAKES.includes(code) ? EXIT.usage : EXIT.failed);
}

function isMistake(error: unknown): error is Mistake {
  return Object.keys(MISTAKES).some((name) => isA<Mistake>(error, name as Mistake['name']));
}

/**
 * Whether an error is of a class of this project, by its name: to know the class itself, what throws it would have to be loaded. A
 * library may use the same name, but not codes such as "client/refused".
 */
function isA<E extends Error & { readonly code: string }>(error: unknown, name: E['name']): error is E {
  if (!(error instanceof Error) || error.name !== name) return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[a-z0-9-]+\/[a-z0-9-]+$/.test(code);
}

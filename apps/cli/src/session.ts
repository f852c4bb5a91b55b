import { homedir } from 'node:os';
import { join } from 'node:path';
import { LogClient } from '@treering/client';
import { createFileHeadMemory } from '@treering/client/node';
import { type OpenedKey, openKey, requireStatementSigner } from '@treering/keys';
import { nodeHasher } from '@treering/merkle/node';
import { KEY_TYPE, type LogTrust, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { StatementSigner } from '@treering/statement';
import { askSecret } from './ask.js';
import { UsageError } from './exit.js';
import type { CommonFlags, Settings } from './settings.js';
import { resolveSettings } from './settings.js';
import { createTerminal, type Streams, type Terminal } from './terminal.js';

/** What a command runs in. */
export interface Session {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** A client of the configured log that remembers heads on disk. */
  client(): LogClient;
  /** Origin and keys of the configured log. */
  trust(): LogTrust;
  /** The user's key, as identity of this log. */
  signer(): Promise<{ id: string; iss: string; signer: StatementSigner }>;
  readonly streams: Streams;
  /** Gives back what the user's key holds. */
  close(): void;
}

/** Resolves flags and environment into a session. */
export function createSession(flags: CommonFlags, streams: Streams & { readonly cwd: string }): Session {
  const settings = resolveSettings(flags, streams.env, streams.cwd);
  const trust = (): LogTrust => {
    // While a log replaces its keys, both the old and the new one are trusted: white space between them.
    const keys = settings.logKey().trim().split(/\s+/).map(parseVerifierKey);
    if (new Set(keys.map(({ name }) => name)).size !== 1) throw new UsageError('the keys of one log have one name, its origin');
    return { origin: keys[0].name, logKeys: keys };
  };
  let opened: OpenedKey | undefined;
  return {
    streams,
    terminal: createTerminal(streams, flags.json ?? false),
    settings,
    env: streams.env,
    cwd: streams.cwd,
    trust,
    client() {
      const known = trust();
      const receiptKeys = known.logKeys
        .filter(({ type }) => type === KEY_TYPE.ed25519)
        .map(({ publicKey }) => ({ curve: 'Ed25519' as const, x: publicKey }));
      return new LogClient({
        url: settings.url,
        trust: known,
        memory: createFileHeadMemory(headFolder(streams.env)),
        hasher: nodeHasher,
        ed25519: nodeEd25519,
        receiptKeys,
      });
    },
    async signer() {
      const ask = (what: string): Promise<string> => askSecret(what, streams);
      opened ??= await openKey(settings.keyFile(), { env: streams.env, ...(streams.stdin?.isTTY === true ? { ask } : {}) });
      const { name } = opened;
      return { id: name, iss: `${trust().origin}/identity/${name}`, signer: requireStatementSigner(opened) };
    },
    close() {
      opened?.close();
    },
  };
}

/** Where this user's own notes lie: TREERING_STATE, or a folder of the user's state folder. */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  return env.TREERING_STATE ?? userFolder(env);
}

/** Where heads are remembered: TREERING_STATE, or the user's state folder. */
function headFolder(env: Readonly<Record<string, string | undefined>>): string {
  return env.TREERING_STATE ?? join(userFolder(env), 'heads');
}

function userFolder(env: Readonly<Record<string, string | undefined>>): string {
  return join(env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), '.local', 'state'), 'treering');
}

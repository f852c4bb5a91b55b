import { homedir } from 'node:os';
import { join } from 'node:path';
import { LogClient } from '@treering/client';
import { createFileHeadMemory } from '@treering/client/node';
import { nodeHasher } from '@treering/merkle/node';
import { KEY_TYPE, type LogTrust, parseVerifierKey } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { createStatementSigner, type StatementSigner } from '@treering/statement';
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
}

/** Resolves flags and environment into a session. */
export function createSession(flags: CommonFlags, streams: Streams & { readonly cwd: string }): Session {
  const settings = resolveSettings(flags, streams.env, streams.cwd);
  const trust = (): LogTrust => {
    const key = parseVerifierKey(settings.logKey());
    return { origin: key.name, logKeys: [key] };
  };
  return {
    terminal: createTerminal(streams, flags.json ?? false),
    settings,
    env: streams.env,
    cwd: streams.cwd,
    trust,
    client() {
      const known = trust();
      const [key] = known.logKeys;
      return new LogClient({
        url: settings.url,
        trust: known,
        memory: createFileHeadMemory(headFolder(streams.env)),
        hasher: nodeHasher,
        ed25519: nodeEd25519,
        ...(key.type === KEY_TYPE.ed25519 ? { receiptKey: { curve: 'Ed25519' as const, x: key.publicKey } } : {}),
      });
    },
    async signer() {
      const { name, type, seed } = await readKeyFile(settings.keyFile());
      if (type !== KEY_TYPE.ed25519)
        throw new UsageError(`${settings.keyFile()} is no Ed25519 key; statements are signed with one`);
      return { id: name, iss: `${trust().origin}/identity/${name}`, signer: createStatementSigner(seed, nodeEd25519) };
    },
  };
}

/** Where heads are remembered: TREERING_STATE, or the user's state folder. */
function headFolder(env: Readonly<Record<string, string | undefined>>): string {
  return env.TREERING_STATE ?? join(env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), '.local', 'state'), 'treering', 'heads');
}

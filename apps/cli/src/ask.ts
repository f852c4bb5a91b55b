import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from './exit.js';
import type { Streams } from './terminal.js';

/** Asks for something that is not shown while it is typed. */
export async function askSecret(what: string, { stdin, stderr }: Streams): Promise<string> {
  if (stdin?.isTTY !== true) throw new UsageError(`${what} is wanted, and there is nobody to ask`);
  stderr.write(`${what}: `);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

/** Asks yes or no; anything but y or yes is no. */
export async function askYes(question: string, { stdin, stderr }: Streams): Promise<boolean> {
  if (stdin?.isTTY !== true) throw new UsageError('there is nobody to ask; with --yes nothing is asked');
  const lines = createInterface({ input: stdin, output: stderr as NodeJS.WriteStream });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

import { PassThrough } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { main } from '../src/main.js';
import type { Desk, LogDesk, Outcome } from './fixture.js';

/** Makes a key and lets the administrator enrol it. Returns the key file. */
export async function enrol(desk: Desk, id: string, ...roles: string[]): Promise<string> {
  await desk.result(['keygen', id, '--role', ...roles]);
  await desk.result(['record', 'identity', '--file', `${id}.identity.yaml`]);
  return `${id}.key`;
}

/** Records a version of a model. */
export async function recordModel(
  desk: Desk,
  name: string,
  version: string,
  key: string,
): Promise<{ index: number; leaf: string }> {
  desk.write(`${name}/weights`, `weights of ${version}`);
  const about = ['--name', name, '--version', version, '--reason', `Version ${version} of the model.`];
  return desk.result(['record', 'model', name, ...about, '--key', key]);
}

/** Entries in the log. */
export const sizeOf = (desk: LogDesk): number => desk.served.log.sequencer.head?.size ?? 0;

/** Fails unless a call ends with this exit code and error, and logs nothing. Returns what it printed. */
export async function refuses(desk: LogDesk, args: readonly string[], exit: number, code: string): Promise<Outcome> {
  const before = sizeOf(desk);
  const outcome = await desk.call([...args, '--json']);
  const error = outcome.stdout === '' ? undefined : outcome.json().error?.code;
  if (outcome.code !== exit || error !== code)
    throw new Error(`expected ${exit} ${code}: ${outcome.code} ${outcome.stdout}${outcome.stderr}`);
  if (sizeOf(desk) !== before) throw new Error(`${args.join(' ')} was refused, and something was logged`);
  return outcome;
}

/** Calls the command at a terminal, where somebody types these lines, each when something is asked. */
export async function typing(desk: Desk, args: readonly string[], ...lines: string[]): Promise<Omit<Outcome, 'json'>> {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined }) as unknown as NodeJS.ReadStream;
  const out: string[] = [];
  const stderr = Object.assign(new PassThrough(), { isTTY: false });
  let said = '';
  stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    if (!/(?:\[y\/N\]|:) $/.test(said)) return;
    const line = lines.shift();
    if (line !== undefined) void wait(20).then(() => (stdin as unknown as PassThrough).write(`${line}\n`));
  });
  const code = await main(args, {
    stdin,
    stdout: { write: (text) => out.push(text) },
    stderr,
    env: desk.env,
    cwd: desk.folder,
  });
  return { code, stdout: out.join(''), stderr: said };
}

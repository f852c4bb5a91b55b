import { SingleBar } from 'cli-progress';

/** Where a command writes, and how. */
export interface Terminal {
  readonly json: boolean;
  /** One line of text for people; nothing with --json. */
  line(text?: string): void;
  /** The result for scripts: one line of JSON, only with --json. */
  result(value: unknown): void;
  /** A remark beside the result, on standard error. */
  remark(text: string): void;
  bold(text: string): string;
  colour(kind: 'good' | 'bad' | 'dim', text: string): string;
  /** A progress bar on standard error, when that is a terminal. */
  progress(what: string): { update(done: number, total: number): void; stop(): void };
}

/** Text and JSON streams of a command. */
export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For questions; without it, or when it is no terminal, nothing is asked. */
  readonly stdin?: NodeJS.ReadStream | undefined;
}

const COLOURS = { good: 32, bad: 31, dim: 2 } as const;

/** A terminal over streams. Colours only on a terminal and without NO_COLOR. */
export function createTerminal({ stdout, stderr, env }: Streams, json: boolean): Terminal {
  const coloured = stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && !json;
  const sgr = (code: number, text: string): string => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    json,
    line: (text = '') => void (json || stdout.write(`${text}\n`)),
    result: (value) => void (json && stdout.write(`${JSON.stringify(value)}\n`)),
    remark: (text) => void stderr.write(`${text}\n`),
    bold: (text) => sgr(1, text),
    colour: (kind, text) => sgr(COLOURS[kind], text),
    progress(what) {
      if (stderr.isTTY !== true) return { update: () => undefined, stop: () => undefined };
      const bar = new SingleBar({
        format: `${what} {bar} {percentage}% {eta_formatted}`,
        stream: process.stderr,
        hideCursor: true,
        clearOnComplete: true,
      });
      let started = false;
      return {
        update(done, total) {
          if (!started) bar.start(total, done);
          started = true;
          bar.update(done);
        },
        stop: () => void (started && bar.stop()),
      };
    },
  };
}

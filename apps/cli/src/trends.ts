import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ReadEntry } from '@treering/client';
import { type Trend, type TrendRecord, textChart, trendsOf } from '@treering/evaluation';
import { printable } from '@treering/record';
import type { DeployedReader, EntryOf } from './deployed.js';
import type { Session } from './session.js';

/** How what was measured of a deployment went: its verifications, and the evaluations that they are compared with. */
export async function trendsOfSubject(reader: DeployedReader, subject: string, limit: number): Promise<Trend[]> {
  const records: TrendRecord[] = [];
  const baselines = new Set<string>();
  for (const entry of await reader.newest(subject, limit)) {
    const { record } = entry;
    if (record?.type !== 'verification' || record.metrics === undefined) continue;
    const { verdict, metrics, tolerances = [], baseline } = record;
    records.push({ at: timeOf(entry), index: entry.index, verdict, metrics, tolerances });
    if (baseline !== undefined) baselines.add(Buffer.from(baseline).toString('hex'));
  }
  for (const leaf of baselines) {
    const entry: EntryOf<'evaluation'> = await reader.entry(leaf, 'evaluation');
    const { verdict, metrics, tolerances } = entry.record;
    records.push({ at: timeOf(entry), index: entry.index, verdict, metrics, tolerances });
  }
  return trendsOf(records);
}

/** Draws trends: in the terminal those that are wanted there, all of them as a picture when a file is named. */
export async function drawTrends(
  { terminal, cwd }: Session,
  title: string,
  trends: readonly Trend[],
  { inTerminal, svg }: { readonly inTerminal: number; readonly svg: string | undefined },
): Promise<void> {
  for (const trend of trends.slice(0, inTerminal))
    for (const line of textChart(trend, { columns: 72, rows: 10 })) terminal.line(line);
  if (svg === undefined) return;
  const { svgChart } = await import('@treering/evaluation/svg');
  await writeFile(resolve(cwd, svg), await svgChart(title, trends));
  terminal.line(`The picture is in ${printable(svg)}.`);
}

/** Milliseconds since the epoch: when it was signed. */
function timeOf({ statement }: ReadEntry): number {
  return (statement.iat ?? 0) * 1000;
}

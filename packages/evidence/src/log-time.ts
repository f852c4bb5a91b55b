import type { OpenedCheckpoint } from '@treering/note';

/** The newest time at which a key that is known signed a head, in seconds; undefined when none says a time. */
export function newestTime({ note }: OpenedCheckpoint): number | undefined {
  return newest(note.verified);
}

/** The newest time at which the log itself says that it signed a head, in seconds; undefined when it does not say. */
export function logTime({ logSignatures }: OpenedCheckpoint): number | undefined {
  return newest(logSignatures);
}

function newest(signatures: OpenedCheckpoint['logSignatures']): number | undefined {
  const times = signatures.flatMap(({ timestamp }) => (timestamp === undefined || timestamp === 0n ? [] : [Number(timestamp)]));
  return times.length === 0 ? undefined : Math.max(...times);
}

/** A time in words; whoever signs can write any number. @param seconds since the epoch */
export function timeText(seconds: number | bigint): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} seconds after 1970` : date.toISOString().replace('.000Z', 'Z');
}

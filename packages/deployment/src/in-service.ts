import { equalBytes } from '@treering/merkle';
import type { RecordOf } from '@treering/record';

/** A deployment record and its place in the log. */
export interface DeploymentEntry {
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
  readonly record: RecordOf<'deployment'>;
}

/** Where one service in one environment stands by its deployment records. */
export interface InService<T extends DeploymentEntry = DeploymentEntry> {
  /** The record that put into service what is in service. */
  readonly active: T | undefined;
  /** A deployment that was announced and has neither become active nor ended. */
  readonly announced: T | undefined;
}

/** The relation by which the record of an end names the record that ends: an intent that came to nothing, or what was in service. */
export const ENDS = 'ends';

/**
 * Reads from the deployment records of one subject what is in service. An end that names nothing (`refs`, relation `ends`) ends
 * whatever has its state: nothing counts as in service of which it could be said that it ended.
 * @param entries the subject's deployment records, the oldest first
 */
export function inService<T extends DeploymentEntry>(entries: Iterable<T>): InService<T> {
  const { active, announced } = follow(entries);
  return { active, announced };
}

/**
 * The few deployment records of one subject that still count, the oldest first: of these and any later ones `inService` makes the same as
 * of all of them. Whoever goes on behind a log later keeps these.
 * @param entries the subject's deployment records, the oldest first
 */
export function countingRecords<T extends DeploymentEntry>(entries: Iterable<T>): T[] {
  const { active, announced, origin } = follow(entries);
  return [origin, active, announced].filter((entry) => entry !== undefined);
}

interface Followed<T extends DeploymentEntry> extends InService<T> {
  /** The announcement that the active record followed. */
  readonly origin: T | undefined;
}

function follow<T extends DeploymentEntry>(entries: Iterable<T>): Followed<T> {
  let active: T | undefined;
  let announced: T | undefined;
  let origin: T | undefined;
  for (const entry of entries) {
    switch (entry.record.phase) {
      case 'intent':
        announced = entry;
        break;
      case 'active':
        origin = announced ?? origin;
        active = entry;
        announced = undefined;
        break;
      case 'ended': {
        const ended = (one: T | undefined): boolean => one !== undefined && ends(entry.record, one);
        if (ended(active) || (active !== undefined && namesIt(entry.record, origin))) [active, origin] = [undefined, undefined];
        if (ended(announced)) announced = undefined;
        break;
      }
    }
  }
  return { active, announced, origin };
}

function ends(end: RecordOf<'deployment'>, one: DeploymentEntry): boolean {
  const named = (end.refs ?? []).some(({ rel }) => rel === ENDS);
  return named ? namesIt(end, one) : equalBytes(end.state, one.record.state);
}

function namesIt({ refs = [] }: RecordOf<'deployment'>, one: DeploymentEntry | undefined): boolean {
  return one !== undefined && refs.some(({ rel, leaf }) => rel === ENDS && equalBytes(leaf, one.leaf));
}

import type { ChangeRecord } from './record.js';
import { renderValue } from './render.js';

/** One difference between two records. */
export interface FieldDiff {
  /** Dotted path; members of named lists go by their name: `guardrails[pii].setting`. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** In words; undefined when there was none. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** The member by which items of these lists are told apart. */
const LIST_KEYS = ['id', 'path', 'name', 'metric', 'rel', 'on'] as const;

/** The differences from one record to another, field by field, in the order of the paths. */
export function diffRecords(before: ChangeRecord, after: ChangeRecord): FieldDiff[] {
  const old = flatten(before);
  const now = flatten(after);
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  return paths
    .map((path): FieldDiff => {
      const [a, b] = [old.get(path), now.get(path)];
      return { path, kind: a === undefined ? 'added' : b === undefined ? 'removed' : 'changed', before: a, after: b };
    })
    .filter((d) => d.before !== d.after);
}

function flatten(record: ChangeRecord): Map<string, string> {
  const out = new Map<string, string>();
  const walk = (path: string, value: unknown): void => {
    if (value === undefined) return;
    const plain = typeof value !== 'object' || value === null || value instanceof Uint8Array;
    if (plain) {
      out.set(path, renderValue(path, value));
    } else if (Array.isArray(value)) {
      const labels = value.map((item, i) => label(item) ?? String(i));
      const unique = new Set(labels).size === labels.length;
      value.forEach((item, i) => {
        walk(`${path}[${unique ? labels[i] : i}]`, item);
      });
    } else {
      for (const [name, item] of Object.entries(value)) walk(path === '' ? name : `${path}.${name}`, item);
    }
  };
  walk('', record);
  return out;
}

function label(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null || item instanceof Uint8Array) return undefined;
  const key = LIST_KEYS.find((k) => typeof (item as Record<string, unknown>)[k] === 'string');
  return key === undefined ? undefined : ((item as Record<string, unknown>)[key] as string);
}

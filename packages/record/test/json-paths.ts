import type { Json } from '@treering/statement';

/** Where a value stands in a JSON view: member names and list positions. */
export type JsonPath = readonly (string | number)[];

/** True for the JSON view of bytes, which counts as one value. */
export function isBytes(json: Json | undefined): boolean {
  return typeof json === 'object' && json !== null && Object.keys(json).join() === '$bytes';
}

/** The paths of all values below the top, lists and groups included. */
export function pathsOf(json: Json, base: JsonPath = []): JsonPath[] {
  if (typeof json !== 'object' || json === null || isBytes(json)) return [];
  const entries: [string | number, Json][] = Array.isArray(json) ? [...json.entries()] : Object.entries(json);
  return entries.flatMap(([key, item]) => [[...base, key], ...pathsOf(item, [...base, key])]);
}

/** The value at a path. */
export function valueAt(json: Json, path: JsonPath): Json {
  return path.reduce((at, key) => (at as Record<string | number, Json>)[key], json);
}

/** A copy with another value at a path; undefined removes the member or item. */
export function withValue(json: Json, path: JsonPath, value: Json | undefined): Json {
  const copy = structuredClone(json);
  const parent = valueAt(copy, path.slice(0, -1));
  const last = path[path.length - 1];
  if (Array.isArray(parent) && value === undefined) parent.splice(last as number, 1);
  else if (value === undefined) delete (parent as Record<string, Json>)[last];
  else (parent as Record<string | number, Json>)[last] = value;
  return copy;
}

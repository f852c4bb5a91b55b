/** Takes one `apply` back. */
export type Undo = () => void;

/** Takes several back, the newest first. */
export function all(undos: readonly Undo[]): Undo {
  return () => {
    for (const undo of [...undos].reverse()) undo();
  };
}

/** Sets a map's entry and returns what brings the old one back. */
export function put<K, V>(map: Map<K, V>, key: K, value: V): Undo {
  const had = map.has(key);
  const before = map.get(key);
  map.set(key, value);
  return () => {
    if (had) map.set(key, before as V);
    else map.delete(key);
  };
}

/** Takes a map's entry out and returns what brings it back. */
export function remove<K, V>(map: Map<K, V>, key: K): Undo {
  if (!map.has(key)) return () => undefined;
  const before = map.get(key) as V;
  map.delete(key);
  return () => void map.set(key, before);
}

import { CompactRange, type HashReader, proveConsistency } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, formatAddCheckpoint, formatCheckpoint, formatNote, KEY_TYPE, type Signer } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';

/** The logs of the benchmark: `count` origins, each with a key of its own. */
export function benchLogs(count: number): Signer[] {
  return Array.from({ length: count }, (_, i) =>
    createSigner(`bench.example/log-${i}`, KEY_TYPE.ed25519, new Uint8Array(32).fill(i + 1), nodeEd25519),
  );
}

/**
 * For each log, the bodies of add-checkpoint that let it grow from 0 in `steps` steps of seven entries. The trees are the same:
 * what differs is who signs.
 */
export async function growingLogs(logs: readonly Signer[], steps: number): Promise<Buffer[][]> {
  const range = new CompactRange(nodeHasher);
  const nodes = new Map<string, Uint8Array>();
  const reader: HashReader = {
    readHashes: async (ids) => Buffer.concat(ids.map(({ level, index }) => nodes.get(`${level}/${index}`) as Uint8Array)),
  };
  const bodies: Buffer[][] = logs.map(() => []);
  for (let step = 0; step < steps; step++) {
    const oldSize = range.size;
    const leaves = Buffer.concat(Array.from({ length: 7 }, (_, i) => nodeHasher.hashLeaf(Buffer.from(`entry ${oldSize + i}`))));
    range.appendMany(leaves, (level, start, hashes) => {
      for (let i = 0; i * 32 < hashes.length; i++) nodes.set(`${level}/${start + i}`, hashes.slice(i * 32, (i + 1) * 32));
    });
    const proof = oldSize === 0 ? [] : await proveConsistency(reader, oldSize, range.size, nodeHasher);
    const root = range.root();
    for (const [i, signer] of logs.entries()) {
      const text = formatCheckpoint({ origin: signer.key.name, size: BigInt(range.size), root, extensions: [] });
      const checkpoint = formatNote({ text, signatures: [signer.sign(text)] });
      bodies[i].push(Buffer.from(formatAddCheckpoint({ oldSize: BigInt(oldSize), proof, checkpoint })));
    }
  }
  return bodies;
}

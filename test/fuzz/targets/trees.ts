import {
  bundlePath,
  CompactRange,
  ExpandedTile,
  formatEntryBundle,
  MerkleInputError,
  parseEntryBundle,
  parseTilePath,
  type TilePath,
  tilePath,
} from '@treering/merkle';
import { ofText, type Target, target } from '../target.js';
import { DIGEST, record, statement } from './samples.js';

const errors = [MerkleInputError];
const range = new CompactRange();
for (let i = 0; i < 11; i++) range.append(DIGEST);

/** What is read of tiles, entry bundles and positions. */
export const treeTargets: readonly Target[] = [
  target({
    name: 'tile-path',
    form: 'lines',
    parse: ofText(parseTilePath),
    format: (path: TilePath) => (path.kind === 'tile' ? tilePath(path.tile) : bundlePath(path.bundle)),
    seeds: [
      tilePath({ level: 1, index: 1_234_067, width: 17 }),
      tilePath({ level: 63, index: 0, width: 256 }),
      bundlePath({ index: 999_999_999, width: 1 }),
    ],
    errors,
  }),
  target({
    name: 'entry-bundle',
    form: 'bytes',
    parse: (bytes) => parseEntryBundle(bytes, 2),
    format: formatEntryBundle,
    seeds: [formatEntryBundle([statement.entry, record]), formatEntryBundle([new Uint8Array(0), new Uint8Array(65_535)])],
    errors,
  }),
  target({
    name: 'tile',
    form: 'bytes',
    parse: (bytes) => new ExpandedTile(bytes),
    format: (tile) => tile.hashes,
    seeds: [new Uint8Array(96).fill(1)],
    errors,
  }),
  target({
    name: 'compact-range',
    form: 'bytes',
    parse: (bytes) => CompactRange.parse(bytes),
    format: (read) => read.serialise(),
    seeds: [range.serialise()],
    errors,
  }),
];

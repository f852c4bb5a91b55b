import { bundlePath, MerkleInputError, parseTilePath, tilePath } from '@treering/merkle';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';
import { type Comparison, requireSame, unlessRefused, type Verdict } from './comparison.js';

/** A tile path as https://c2sp.org/tlog-tiles describes it, group by group: `<level> <index> <width>`. */
function reference(path: string): string | undefined {
  const [tile, level, ...rest] = path.split('/');
  if (tile !== 'tile' || level === undefined || rest.length === 0) return undefined;
  const levels = Array.from({ length: 64 }, (_, i) => String(i));
  if (level !== 'entries' && !levels.includes(level)) return undefined;
  let width = '256';
  if (rest.length > 1 && rest.at(-2)?.endsWith('.p')) {
    width = rest.pop() as string;
    rest[rest.length - 1] = (rest.at(-1) as string).slice(0, -2);
    const widths = Array.from({ length: 255 }, (_, i) => String(i + 1));
    if (!widths.includes(width)) return undefined;
  }
  const last = rest.pop() as string;
  const groups = [...rest.map((group) => (group.startsWith('x') ? group.slice(1) : '')), last];
  if (groups.some((group) => group.length !== 3 || [...group].some((c) => !'0123456789'.includes(c)))) return undefined;
  if (groups.length > 1 && groups[0] === '000') return undefined;
  const index = BigInt(groups.join(''));
  return index > 2n ** 53n - 1n ? undefined : `${level} ${index} ${width}`;
}

const PIECES = [
  'tile',
  'entries',
  '/',
  '.p/',
  '.p',
  'x',
  '000',
  '001',
  'x000/',
  'x001/',
  '9',
  '0',
  '63',
  '64',
  '256',
  '255',
  '%2f',
  '..',
  '//',
  '\n',
  ' ',
  '٣',
];

/** Paths of tiles and entry bundles. */
export const pathComparison: Comparison = {
  name: 'differential-tile-paths',
  scenario: 'tile paths, and a second reader written from the specification',
  compare(random): Verdict {
    const path = pathFrom(random);
    const read = unlessRefused(() => parseTilePath(path), [MerkleInputError]);
    const { index, width } = read === undefined ? { index: 0, width: 0 } : read.kind === 'tile' ? read.tile : read.bundle;
    const shown = read && `${read.kind === 'tile' ? read.tile.level : 'entries'} ${index} ${width}`;
    requireSame(shown, reference(path), path);
    return read === undefined ? 'refused' : 'accepted';
  },
};

function pathFrom(random: Random): string {
  const index = Math.floor(random.next() * 10 ** random.below(17)) % 2 ** 53;
  const width = 1 + random.below(256);
  const path = random.oneIn(3) ? bundlePath({ index, width }) : tilePath({ level: random.below(64), index, width });
  const kind = random.below(4);
  if (kind === 0) return path;
  if (kind === 1) return Buffer.from(mutateBytes(Buffer.from(path), random)).toString('latin1');
  const at = random.below(path.length + 1);
  const drop = random.below(3);
  return `${path.slice(0, at)}${random.pick(PIECES)}${path.slice(at + drop)}`;
}

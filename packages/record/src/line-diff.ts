/** A line of two texts: in both, only in the second, or only in the first. */
export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
}

/** Cells of the table that a comparison may need. */
const LARGEST_TABLE = 1_000_000;

/** Unchanged lines that are shown around those that changed. */
const CONTEXT = 3;

/** The differences between two texts, line by line, by a longest common subsequence. Undefined when they are too long to compare. */
export function diffLines(before: string, after: string): DiffLine[] | undefined {
  const [a, b] = [before, after].map((text) => text.replace(/\r\n/g, '\n').split('\n'));
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = compare(a.slice(start, a.length - end), b.slice(start, b.length - end));
  if (middle === undefined) return undefined;
  const same = (lines: readonly string[]): DiffLine[] => lines.map((text) => ({ kind: 'same', text }));
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

function compare(a: readonly string[], b: readonly string[]): DiffLine[] | undefined {
  const width = b.length + 1;
  if ((a.length + 1) * width > LARGEST_TABLE) return undefined;
  // common[i * width + j]: lines that a from i on and b from j on have in common.
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i] === b[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
  const out: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: 'same', text: a[i++] });
      j++;
    } else if (j === b.length || (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1]))
      out.push({ kind: 'removed', text: a[i++] });
    else out.push({ kind: 'added', text: b[j++] });
  }
  return out;
}

/** Leaves out unchanged lines far from any change; undefined stands for those that were left out. */
export function aroundChanges(lines: readonly DiffLine[]): (DiffLine | undefined)[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ kind }) => kind !== 'same'),
  );
  return lines.flatMap((line, at) => (near[at] ? [line] : at > 0 && !near[at - 1] ? [] : [undefined]));
}

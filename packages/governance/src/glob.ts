/**
 * Whether a subject fits a pattern of the policy: `*` stands for any characters within a segment, a last segment `**` for one
 * or more segments (formats.md section 7). Patterns come from records, so the time is bounded by the product of the lengths.
 */
export function matchesGlob(pattern: string, subject: string): boolean {
  const patterns = pattern.split('/');
  const segments = subject.split('/');
  const open = patterns[patterns.length - 1] === '**';
  if (open) patterns.pop();
  if (open ? segments.length <= patterns.length : segments.length !== patterns.length) return false;
  return patterns.every((part, i) => matchesSegment(part, segments[i]));
}

/** Whether every subject that fits `inner` fits `outer` too. Where that is hard to tell, the answer is no. */
export function coversGlob(outer: string, inner: string): boolean {
  const open = (pattern: string): boolean => pattern === '**' || pattern.endsWith('/**');
  return (open(outer) || !open(inner)) && matchesGlob(outer, inner);
}

/** Whether some subject fits both patterns. */
export function overlapsGlob(one: string, other: string): boolean {
  const [a, b] = [one, other].map((pattern) => pattern.split('/'));
  const [openA, openB] = [a, b].map((segments) => segments[segments.length - 1] === '**');
  if (openA) a.pop();
  if (openB) b.pop();
  // A pattern that is open stands for more segments than it names.
  const lengths = openA ? openB || b.length > a.length : openB ? a.length > b.length : a.length === b.length;
  return lengths && a.slice(0, b.length).every((segment, i) => overlapsSegment(segment, b[i]));
}

/** Two segments with stars have something in common as soon as their ends go together: the stars take in the rest. */
function overlapsSegment(one: string, other: string): boolean {
  if (!one.includes('*')) return matchesSegment(other, one);
  if (!other.includes('*')) return matchesSegment(one, other);
  const [startA, startB] = [one, other].map((pattern) => pattern.slice(0, pattern.indexOf('*')));
  const [endA, endB] = [one, other].map((pattern) => pattern.slice(pattern.lastIndexOf('*') + 1));
  return (startA.startsWith(startB) || startB.startsWith(startA)) && (endA.endsWith(endB) || endB.endsWith(endA));
}

/** Compares from the left, and after a mismatch lets the last `*` take one character more: no deeper search is ever needed. */
function matchesSegment(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let resume = 0;
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Whether a pattern with `*` for any characters (also `/`) fits a text: patterns of claims and of certificate names. */
export function matchesText(pattern: string, text: string): boolean {
  return matchesSegment(pattern, text);
}

/** Whether a pattern could fit subjects below this first segment, such as `model`. */
export function reaches(pattern: string, first: string): boolean {
  const [head] = pattern.split('/');
  return head === '**' || matchesSegment(head, first);
}

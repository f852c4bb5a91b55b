/**
 * A name as one segment of a subject: in lower case, with '-' for what a segment may not hold. undefined when nothing is left of it.
 * Two names may become one segment: whoever records under segments remembers which name had it first.
 */
export function segmentOf(name: string): string | undefined {
  const segment = name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z0-9._@-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 120);
  return /^\.*$/.test(segment) ? undefined : segment;
}

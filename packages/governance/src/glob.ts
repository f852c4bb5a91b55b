const compiled = new Map<string, RegExp>();

/**
 * Whether a subject fits a pattern of the policy: `*` stands for any characters within a segment, a last segment `**` for one
 * or more segments (formats.md section 7).
 */
export function matchesGlob(pattern: string, subject: string): boolean {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    const segments = pattern.split('/').map((segment, i, all) => {
      if (segment === '**' && i === all.length - 1) return '.+';
      return segment.replace(/[.\\+?^${}()|[\]]/g, '\\$&').replace(/\*+/g, '[^/]*');
    });
    regex = new RegExp(`^${segments.join('/')}$`);
    if (compiled.size >= 4096) compiled.clear();
    compiled.set(pattern, regex);
  }
  return regex.test(subject);
}

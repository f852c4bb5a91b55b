/** A fenced block of a Markdown document. */
export interface Block {
  /** The words behind the fence. */
  readonly info: string;
  /** Number of the fence's line. */
  readonly line: number;
  readonly code: string;
}

/** The fenced blocks of a Markdown text. Throws when one is not closed. */
export function blocksOf(file: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { info: string; line: number; fence: string; code: string[] } | undefined;
  text.split('\n').forEach((line, i) => {
    const fence = /^(`{3,})(.*)$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { info: fence[2].trim(), line: i + 1, fence: fence[1], code: [] };
    } else if (fence !== null && fence[1].length >= open.fence.length && fence[2].trim() === '') {
      blocks.push({ info: open.info, line: open.line, code: `${open.code.join('\n')}\n` });
      open = undefined;
    } else open.code.push(line);
  });
  if (open !== undefined) throw new Error(`${file}:${open.line}: this block is not closed`);
  return blocks;
}

/** Lines that bash takes for the negation of a command; under `set -e` neither outcome of it ends anything. */
export function negations({ info, line, code }: Block): string[] {
  if (!info.startsWith('sh')) return [];
  return code.split('\n').flatMap((text, i) => (/^\s*! /.test(text) ? [`${line + i + 1}: ${text}`] : []));
}

/** Characters of an attachment that are shown; the rest is there to be saved. */
export const MOST_SHOWN = 50_000;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** An attachment as text; undefined when it is none. */
export function attachmentText(content: Uint8Array): string | undefined {
  let text: string;
  try {
    text = decoder.decode(content);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no text holds these
  return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text.slice(0, MOST_SHOWN)) ? undefined : text;
}

/** A name to save it under: the last part of its path, without what a file system could misread. */
export function fileName(name: string): string {
  const last = name.split('/').pop() ?? '';
  return last.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^[.-]+/, '') || 'attachment';
}

import { createFileAnchor, type HeadAnchor } from '@treering/sequencer';
import type { DataFolder } from './data-folder.js';

/** The head anchor of a data folder. */
export function openAnchor(folder: DataFolder): HeadAnchor {
  return createFileAnchor(folder.anchor);
}

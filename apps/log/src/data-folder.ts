import { join } from 'node:path';
import { createFileAnchor, type HeadAnchor } from '@treering/sequencer';

/** Where things lie in a log's data folder. */
export interface DataFolder {
  readonly store: string;
  readonly logKey: string;
  readonly publicationKey: string;
  /** The key of the administrator who began the log on this machine. */
  readonly adminKey: string;
  readonly anchor: string;
  /** While a log is being begun, and no longer: its charter, once that is signed. */
  readonly beginning: string;
}

/** The paths in the folder `data`, with the head anchor elsewhere if the operator says so. */
export function dataFolder(data: string, anchor?: string): DataFolder {
  return {
    store: join(data, 'log.db'),
    logKey: join(data, 'keys', 'log.key'),
    publicationKey: join(data, 'keys', 'log-mldsa44.key'),
    adminKey: join(data, 'keys', 'admin.key'),
    beginning: join(data, 'keys', 'beginning'),
    anchor: anchor ?? join(data, 'anchor', 'head'),
  };
}

/** The head anchor of a data folder. */
export function openAnchor(folder: DataFolder): HeadAnchor {
  return createFileAnchor(folder.anchor);
}

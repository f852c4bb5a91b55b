import { join } from 'node:path';

/** Where things lie in a log's data folder. */
export interface DataFolder {
  readonly store: string;
  readonly logKey: string;
  readonly publicationKey: string;
  /** The key of the administrator who began the log on this machine. */
  readonly adminKey: string;
  readonly anchor: string;
  /** Keys that are prepared to replace those in force. */
  readonly nextLogKey: string;
  readonly nextPublicationKey: string;
  /** Keys that were replaced and still sign beside those in force. */
  readonly previousLogKey: string;
  readonly previousPublicationKey: string;
  /** Verifier keys of all earlier generations, one in a line. */
  readonly retiredKeys: string;
  /** Public keys of the log, one in a line: what is left to read it with when the others are lost. */
  readonly verifierKeys: string;
  /** The secret from which pseudonyms of enrolled people are made. */
  readonly pseudonyms: string;
  /** The governance state of some committed head. */
  readonly snapshot: string;
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
    nextLogKey: join(data, 'keys', 'next-log.key'),
    nextPublicationKey: join(data, 'keys', 'next-log-mldsa44.key'),
    previousLogKey: join(data, 'keys', 'previous-log.key'),
    previousPublicationKey: join(data, 'keys', 'previous-log-mldsa44.key'),
    retiredKeys: join(data, 'keys', 'retired'),
    verifierKeys: join(data, 'verifier-keys'),
    pseudonyms: join(data, 'keys', 'pseudonyms.secret'),
    snapshot: join(data, 'governance.snapshot'),
    beginning: join(data, 'keys', 'beginning'),
    anchor: anchor ?? join(data, 'anchor', 'head'),
  };
}

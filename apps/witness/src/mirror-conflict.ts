import type { MirrorInfo } from '@treering/note';

/** The client believes that the mirror stands somewhere else (409). */
export class MirrorConflict extends Error {
  override readonly name = 'MirrorConflict';
  /** Where the mirror stands. */
  readonly info: MirrorInfo;

  constructor(info: MirrorInfo) {
    super(`the mirror goes on at entry ${info.next} towards ${info.size} entries`);
    this.info = info;
  }
}

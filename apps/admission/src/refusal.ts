/** Why a request is refused: labels of a metric, so there are few, and they do not change. */
export type RefusalCode =
  | 'malformed'
  | 'operation'
  | 'kind'
  | 'connect'
  | 'annotation'
  | 'environment'
  | 'containers'
  | 'not-pinned'
  | 'image-not-allowed'
  | 'no-permit'
  | 'not-permitted'
  | 'internal';

/** A request that is refused. The message is for whoever wanted the pod, and says what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

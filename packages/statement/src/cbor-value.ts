/** What the profile of formats.md section 4 can express. Maps have integer or text keys. */
export type CborValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | CborTag
  | readonly CborValue[]
  | ReadonlyMap<number | string, CborValue>;

/** What may be given to the encoder: plain objects stand for maps with text keys, and undefined members are left out. */
export type CborInput =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | CborTag
  | readonly CborInput[]
  | ReadonlyMap<number | string, CborInput>
  | { readonly [key: string]: CborInput | undefined };

/** A tagged item, such as 18 for COSE_Sign1. It stands only around a whole item. */
export class CborTag {
  readonly tag: number;
  readonly value: CborInput;

  constructor(tag: number, value: CborInput) {
    this.tag = tag;
    this.value = value;
  }
}

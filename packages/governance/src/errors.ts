/** Stable codes of a refusal. */
export type RefusalCode =
  | 'cose/bad-signature'
  | 'cose/unknown-algorithm'
  | 'governance/no-charter'
  | 'governance/bad-charter'
  | 'governance/charter-exists'
  | 'governance/logged-before'
  | 'governance/foreign'
  | 'governance/foreign-not-verified'
  | 'governance/not-checked'
  | 'governance/invalid-record'
  | 'governance/unknown-key'
  | 'governance/revoked-key'
  | 'governance/expired-key'
  | 'governance/wrong-issuer'
  | 'governance/frozen'
  | 'governance/not-allowed'
  | 'governance/locks-out'
  | 'governance/limit'
  | 'governance/key-taken'
  | 'governance/token-used'
  | 'governance/approval-target'
  | 'governance/own-change'
  | 'governance/not-approved'
  | 'governance/gate'
  | 'governance/correction-target'
  | 'governance/not-its-attachment'
  | 'governance/prev-conflict'
  | 'governance/clock'
  | 'statement/twin';

/** The log contradicts its own rules: an entry that is in it would not be admitted. */
export class GovernanceError extends Error {
  override readonly name = 'GovernanceError';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

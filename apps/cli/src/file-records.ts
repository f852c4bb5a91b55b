import type { RecordType } from '@treering/record';

/** Each record type: whether it is recorded from a file, or by a command of its own or none. */
const FROM_FILE: Readonly<Record<RecordType, boolean>> = {
  charter: false,
  amendment: true,
  identity: true,
  policy: false,
  system: true,
  model: false,
  config: false,
  evaluation: true,
  approval: true,
  deployment: true,
  attestation: true,
  verification: true,
  incident: true,
  'decision-batch': true,
  'change-plan': true,
  assessment: true,
  correction: true,
  freeze: true,
  'map-head': false,
};

/** Record types with a command that takes a file, in the order of the help. The schemas need not be loaded to know them. */
export const FILE_RECORDS = Object.entries(FROM_FILE).flatMap(([type, fromFile]) => (fromFile ? [type] : []));

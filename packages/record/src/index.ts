export { type ArticleFinding, indexByArticle } from './article-index.js';
export {
  type ArticleAnswer,
  type ArticleNeed,
  type ArticleSection,
  articleSections,
  type IndexedRecord,
} from './article-sections.js';
export { type Attachment, createAttachment, openAttachment, SALT_SIZE } from './attachment.js';
export { configDigest } from './config-digest.js';
export { diffRecords, type FieldDiff } from './diff.js';
export { RecordError, type RecordErrorCode } from './errors.js';
export { isSubject } from './fields.js';
export { type IncidentFacts, type ReportDeadline, reportDeadline, reportDueAt } from './incident-deadline.js';
export { aroundChanges, type DiffLine, diffLines } from './line-diff.js';
export {
  DEFAULT_IGNORED,
  formatManifest,
  type ManifestResource,
  type ModelSigningManifest,
  manifestRoot,
  parseManifest,
  sortResources,
} from './manifest.js';
export {
  type ApprovalRule,
  type AttachmentRef,
  type ChangeRecord,
  decodeRecord,
  encodeRecord,
  type GateRule,
  type Issuer,
  type OidcProvider,
  type PolicyBody,
  type PolicyRule,
  type RecordOf,
  type RecordType,
  recordFromJson,
  recordSchemas,
  recordToJson,
  validateRecord,
} from './record.js';
export { printable, type Rendering, renderRecord } from './render.js';
export { type Hold, type Retention, type RetentionPreset, retentionOf, retentionPresets } from './retention.js';
export { diffTensors, headerLength, parseHeader, type TensorDiff, type TensorDigest, type TensorInfo } from './safetensors.js';
export { stateDigest } from './state-digest.js';

export {
  createTableEd25519,
  type SignedMessage,
  type TableEd25519,
  TableMismatchError,
  type TableOptions,
} from './table-ed25519.js';

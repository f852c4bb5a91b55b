export * as note from '@treering/note';
export * as evidence from '../src/index.js';

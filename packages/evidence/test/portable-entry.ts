import * as note from '@treering/note';
import * as evidence from '../src/index.js';

export { evidence, note };

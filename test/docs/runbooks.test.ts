import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('runbooks');

test.run();

import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('reference');

test.run();

import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('releases');

test.run();

import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('pipeline');

test.run();

import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('tour');

test.run();

import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('operators');

test.run();

import { test } from 'uvu';
import { testDocuments } from './documents.js';

testDocuments('governance');

test.run();

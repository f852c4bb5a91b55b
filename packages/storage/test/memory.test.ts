import { test } from 'uvu';
import { storageContract } from '../src/contract.js';
import { createMemoryStorage } from '../src/index.js';

for (const { name, run } of storageContract) test(name, () => run(async () => createMemoryStorage()));

test.run();

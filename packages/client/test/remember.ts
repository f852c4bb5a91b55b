import { createFileHeadMemory } from '../src/node/index.js';
import { noteOfSize, remember } from './unsigned-head.js';

// Remembers heads of the sizes that are named, one after the other, in the folder that is named first.

const [folder, origin, ...sizes] = process.argv.slice(2);
const memory = createFileHeadMemory(folder);
for (const size of sizes) await remember(memory, origin, noteOfSize(origin, Number(size)));

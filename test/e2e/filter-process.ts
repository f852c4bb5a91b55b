import { readFileSync, writeFileSync } from 'node:fs';
import { serveFilter } from './content-filter.js';

/* A service as a process of its own: <weights file> <configuration file> <file for its URL and its number>. */

const [weights, configuration, told] = process.argv.slice(2);
const { url } = await serveFilter(readFileSync(weights, 'utf8'), configuration);
writeFileSync(`${told}.url`, url);
writeFileSync(`${told}.pid`, `${process.pid}\n`);

#!/usr/bin/env node
import { start } from '../dist/start.js';

// Whoever reads the output may stop early, as `head` does.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = await start(process.argv.slice(2));

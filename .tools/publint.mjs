// Checks every package as it would be published: exports, types and files of its tarball.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { root } from './setup.mjs';

let problems = 0;
for (const group of ['packages', 'apps']) {
  for (const name of readdirSync(join(root, group)).sort()) {
    const pkgDir = join(root, group, name);
    if (!existsSync(join(pkgDir, 'package.json'))) continue;
    const manifest = JSON.parse(readFileSync(join(pkgDir, 'package.json'), 'utf8'));
    const { messages } = await publint({ pkgDir, pack: 'npm', strict: true });
    for (const message of messages) console.log(`${manifest.name}: ${formatMessage(message, manifest)}`);
    problems += messages.length;
  }
}
console.log(problems === 0 ? 'publint: every package is well made' : `publint: ${problems} problems`);
process.exit(problems === 0 ? 0 : 1);

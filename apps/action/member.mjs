// Prints a member of the JSON on standard input: node member.mjs intent.leaf. It is a text of one line, or nothing is printed.
import { readFileSync } from 'node:fs';

const path = process.argv[2] ?? '';
let value;
try {
  value = path.split('.').reduce((object, name) => object?.[name], JSON.parse(readFileSync(0, 'utf8')));
} catch {
  // The answer itself may hold a secret, and is not repeated.
  value = undefined;
}
if (typeof value === 'string' && /^[^\p{Cc}]+$/u.test(value)) process.stdout.write(value);
else {
  process.stderr.write(`there is no ${path} in the answer\n`);
  process.exitCode = 1;
}

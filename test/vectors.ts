import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../shared/vectors/', import.meta.url));
const present = existsSync(folder);

if (!present) {
  if (process.env.CI) throw new Error(`the third-party vectors are not at ${folder}; a CI run needs them`);
  console.log('third-party vectors are not beside this checkout: vector suites are skipped');
}

/** True when the third-party vectors lie beside this checkout. Suites that need them are skipped otherwise (and fail in CI). */
export const haveVectors: boolean = present;

/** The absolute path of a vector file or folder. */
export function vectorPath(name: string): string {
  return join(folder, name);
}

/** The bytes of a vector file. */
export function vectorBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(vectorPath(name)));
}

/** A vector file parsed as JSON. The tests check its shape by using it. */
// biome-ignore lint/suspicious/noExplicitAny: third-party JSON of many shapes
export function vectorJson(name: string): any {
  return JSON.parse(readFileSync(vectorPath(name), 'utf8'));
}

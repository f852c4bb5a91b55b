import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePinnedImage } from '../src/index.js';

const HEX = `00${'ab'.repeat(30)}ff`;

test('an image that is pinned by its digest, with and without registry, port and tag', () => {
  for (const [name, repository] of [
    ['triage', 'triage'],
    ['registry.example/ml/triage', 'registry.example/ml/triage'],
    ['registry.example:5000/triage', 'registry.example:5000/triage'],
    ['registry.example:5000/triage:1.8', 'registry.example:5000/triage'],
    ['triage:latest', 'triage'],
    ['registry.example/a__b/c-d.e', 'registry.example/a__b/c-d.e'],
  ]) {
    const found = parsePinnedImage(`${name}@sha256:${HEX}`);
    assert.is(found?.repository, repository, name);
    assert.is(Buffer.from(found?.digest ?? []).toString('hex'), HEX);
  }
});

test('what is not pinned, and what is no reference', () => {
  for (const text of [
    '',
    'triage',
    'triage:1.8',
    `triage@sha512:${HEX}${HEX}`,
    `triage@sha256:${HEX.slice(1)}`,
    `triage@sha256:${HEX}0`,
    `triage@sha256:${HEX.toUpperCase()}`,
    `@sha256:${HEX}`,
    `:tag@sha256:${HEX}`,
    `triage:@sha256:${HEX}`,
    `triage:a:b@sha256:${HEX}`,
    `triage@x@sha256:${HEX}`,
    `tri age@sha256:${HEX}`,
    ` triage@sha256:${HEX}`,
    `triage@sha256:${HEX}\n`,
    `registry.example//triage@sha256:${HEX}`,
    `registry.example/../triage@sha256:${HEX}`,
    `registry.example/Triage@sha256:${HEX}`,
    `/triage@sha256:${HEX}`,
    `${'a'.repeat(500)}@sha256:${HEX}`,
  ])
    assert.is(parsePinnedImage(text), undefined, text);
});

test.run();

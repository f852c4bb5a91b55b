import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from '../e2e/command.js';
import { blocksOf, negations } from './blocks.js';
import { GROUPS, ROOT } from './documents.js';
import { checkPolicy, runBlocks } from './run-blocks.js';

test('every document belongs to exactly one group', () => {
  const documents = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  assert.equal(Object.values(GROUPS).flat().sort(), ['README.md', ...documents].sort());
});

test('every group has a test file, and every test file a group', () => {
  const files = readdirSync(join(ROOT, 'test', 'docs')).filter((name) => name.endsWith('.test.ts'));
  assert.equal(files.sort(), [...Object.keys(GROUPS), 'harness'].map((name) => `${name}.test.ts`).sort());
  for (const group of Object.keys(GROUPS)) {
    const source = readFileSync(join(ROOT, 'test', 'docs', `${group}.test.ts`), 'utf8');
    assert.ok(source.includes(`\ntestDocuments('${group}');\n`), group);
  }
});

test('blocks are found, whatever stands around them', () => {
  const text = ['a', '```sh', 'echo 1', '', '```', '````ts', '```', 'x', '````', '```', 'picture', '```', ''].join('\n');
  assert.equal(blocksOf('x', text), [
    { info: 'sh', line: 2, code: 'echo 1\n\n' },
    { info: 'ts', line: 6, code: '```\nx\n' },
    { info: '', line: 10, code: 'picture\n' },
  ]);
  assert.throws(() => blocksOf('x', '```sh\necho 1\n'), /not closed/);
});

test('a block that fails is a failure, with its line and its output', async () => {
  const place = new Workplace();
  const good = await runBlocks('x.md', [{ info: 'sh', line: 1, code: 'echo hello\n' }], place, '');
  assert.is(good, undefined);
  const bad = await runBlocks(
    'x.md',
    [
      { info: 'sh', line: 1, code: 'A=kept; echo one\n' },
      { info: 'sh', line: 5, code: 'echo "$A"; false | true; echo not reached\n' },
    ],
    place,
    '',
  );
  assert.match(bad ?? '', 'x.md:5');
  assert.match(bad ?? '', 'kept');
  assert.not.match(bad ?? '', 'not reached');
  const unset = await runBlocks('x.md', [{ info: 'sh', line: 9, code: 'echo "$NOT_SET_ANYWHERE"\n' }], place, '');
  assert.match(unset ?? '', 'x.md:9');
  const module = await runBlocks('x.md', [{ info: 'ts', line: 12, code: "throw new Error('as expected');\n" }], place, '');
  assert.match(module ?? '', /x\.md:12[\s\S]*as expected/);
});

test('the negation of a command is found, and is no way to fail', async () => {
  const block = { info: 'sh', line: 1, code: 'true\n! true\n  ! false\necho "! x"\n' };
  assert.equal(negations(block), ['3: ! true', '4:   ! false']);
  assert.equal(negations({ ...block, info: 'text' }), []);
  assert.is(await runBlocks('x.md', [block], new Workplace(), ''), undefined);
});

test('a policy that cannot be meant is found', async () => {
  assert.is((await checkPolicy('limits: { attachments: 3 }\n')).exit, 0);
  assert.is((await checkPolicy('limits: { attachment: 3 }\n')).exit, 2);
  assert.is((await checkPolicy('rules:\n')).exit, 2);
});

test.run();

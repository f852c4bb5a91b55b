import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as portable from '../src/index.js';
import * as node from '../src/node/index.js';
import * as svg from '../src/svg/index.js';

test('the public face of @treering/evaluation', () => {
  assert.equal(Object.keys(portable).sort(), [
    'EvaluationError',
    'METRICS',
    'RESAMPLES',
    'askAll',
    'decide',
    'defaultMapping',
    'formatReport',
    'hasGap',
    'httpEndpoint',
    'measure',
    'measureBestCase',
    'openAiEndpoint',
    'parseDataset',
    'parseMapping',
    'parseTolerance',
    'positiveOf',
    'sampleOf',
    'sideOf',
    'textChart',
    'trendsOf',
  ]);
});

test('the public faces that are loaded apart', () => {
  assert.equal(Object.keys(node), ['commandEndpoint']);
  assert.equal(Object.keys(svg), ['svgChart']);
});

test('an error says its code and its class', () => {
  const cause = new Error('why');
  const error = new portable.EvaluationError('evaluation/dataset', 'a sentence', { cause });
  assert.equal(
    [error.name, error.code, error.message, error.cause],
    ['EvaluationError', 'evaluation/dataset', 'a sentence', cause],
  );
});

test.run();

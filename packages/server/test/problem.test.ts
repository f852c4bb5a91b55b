import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Problem, problemBody } from '../src/index.js';

test('what may succeed later says when, also where nobody thought of it', () => {
  for (const status of [429, 503, 507]) {
    assert.is(new Problem(status, 'a/b', 'Later.').details.retryAfter, 30);
    assert.is(new Problem(status, 'a/b', 'Later.', { retryAfter: 2 }).details.retryAfter, 2);
    assert.is(problemBody(new Problem(status, 'a/b', 'Later.', { index: 4 }), 'id').retry_after, 30);
  }
  for (const status of [400, 404, 409, 500, 504]) assert.is(new Problem(status, 'a/b', 'No.').details.retryAfter, undefined);
});

test.run();

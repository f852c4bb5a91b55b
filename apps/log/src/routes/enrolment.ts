import { recordToJson } from '@treering/record';
import { type Env, hex, Problem, readBody } from '@treering/server';
import { Hono } from 'hono';
import type { Server } from './context.js';
import { takeRate } from './entries.js';
import { notReady } from './operation.js';

/** Bytes of a request: a statement with a token in it. */
const REQUEST_BYTES = 32 * 1024;

/** Enrolment of keys by tokens of the identity providers that the policy names. */
export function enrolmentRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>();

  app.get('/v1/enrolment', async (c) => {
    const { policy, policyIndex } = await log.sequencer.between(() => {
      if (log.sequencer.trouble !== undefined) throw notReady();
      const { policy, policyIndex } = log.admission.state;
      return { policy, policyIndex };
    });
    const providers = (policy?.oidc ?? []).map(({ name, issuer, audience, kind, binding }) => {
      return { name, issuer, audience, kind, binding };
    });
    return c.json({ open: server.registrar !== undefined, policy: policyIndex, providers });
  });

  app.post('/v1/enrolment', async (c) => {
    takeRate(server, c, 1);
    const { registrar } = server;
    if (registrar === undefined)
      throw new Problem(404, 'enrolment/closed', 'this log enrols nobody by token; an administrator records an identity');
    const request = await readBody(c, server.bodies, ['application/cose'], REQUEST_BYTES);
    const { accepted, record } = await registrar.enrol(request);
    c.header('Location', `${server.url()}/v1/entries/${accepted.index}`);
    return c.json({ index: accepted.index, leaf: hex(accepted.leaf), id: record.id, record: recordToJson(record) }, 201);
  });
  return app;
}

import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

/** Reads every submission, answers it with 201 and the same `bytes` bytes, and does nothing else. Resolves with its URL and its end. */
export function serveFloor(bytes: number): Promise<{ url: string; close(): void }> {
  const answer = 'x'.repeat(bytes);
  const app = new Hono().post('*', async (c) => {
    await c.req.arrayBuffer();
    return c.body(answer, 201, { 'Content-Type': 'application/json' });
  });
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }: AddressInfo) => {
      resolve({ url: `http://127.0.0.1:${port}`, close: () => server.close() });
    });
  });
}

import { request } from 'node:http';
import { pause } from './until.js';

/** What somebody who comes now is answered, and after how many milliseconds. */
interface Visit {
  readonly time: number;
  /** 0 when the connection was closed without an answer. */
  readonly status: number;
}

/** Asks again and again, each time on a connection of its own, until `over` resolves. */
export async function visit(url: string, over: Promise<unknown>): Promise<Visit[]> {
  let on = true;
  void over.then(() => {
    on = false;
  });
  const visits: Visit[] = [];
  while (on) {
    const began = performance.now();
    visits.push({ status: await statusOf(url), time: performance.now() - began });
    await pause(20);
  }
  return visits;
}

function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, { agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve(0));
    });
    sent.on('error', () => resolve(0));
    sent.end();
  });
}

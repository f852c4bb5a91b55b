import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.js';

/** Headers of a request. */
export const MOST_HEADERS = 64;

/**
 * What is refused of requests that the HTTP parser of Node.js takes, because a proxy in front may read it otherwise (RFC 9112
 * sections 2.3, 3.2 and 6.1), or because an app could not be asked about it. The connection ends with the answer.
 */
export function refusalOf({ rawHeaders, headers, httpVersion, method, url = '' }: IncomingMessage): Problem | undefined {
  const refuse = (status: number, code: string, why: string): Problem => new Problem(status, `request/${code}`, why);
  if (rawHeaders.length > 2 * MOST_HEADERS)
    return refuse(431, 'too-many-headers', `a request may have ${MOST_HEADERS} header lines`);
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return refuse(505, 'http-version', 'speak HTTP/1.1');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && httpVersion === '1.0')
    return refuse(400, 'malformed', 'HTTP/1.0 knows no Transfer-Encoding: nobody can say where this body ends');
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    return refuse(400, 'malformed', 'the only transfer coding is "chunked"');
  if (hostsOf(rawHeaders) > 1) return refuse(400, 'malformed', 'a request has one Host');
  if (method === 'TRACE' || method === 'TRACK') return refuse(501, 'method', `${method} is not answered here`);
  // Normalised, such a path would be another one than a rule of a proxy was asked about.
  if (/\\|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(url.split('?', 1)[0]))
    return refuse(400, 'malformed', 'a path has no backslashes, and no segments . and ..');
  if (!/^(?:\/|https?:\/\/)/i.test(url)) return refuse(400, 'malformed', 'the target of a request is a path');
  return undefined;
}

function hostsOf(rawHeaders: readonly string[]): number {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length;
}

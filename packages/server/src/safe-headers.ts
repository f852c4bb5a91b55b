/**
 * Headers of every answer, whatever answers. Nothing that these servers send is a page: what a browser is led to by mistake, or by
 * somebody who uploaded it, neither runs nor is framed, and no address is told to where a link leads. Readers anywhere may verify, and
 * nothing is decided by cookies: answers may be read from every origin.
 */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'ETag, Location, Request-Id, Retry-After, Treering-Index',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Origin-Agent-Cluster': '?1',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=15552000',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'X-Permitted-Cross-Domain-Policies': 'none',
};

import type { PermitTrust } from '@treering/deployment';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import { ByteBudget, createLogger, listen } from '@treering/server';
import type { Logger } from 'pino';
import { allowedImages } from './allowed-images.js';
import { createApp } from './app.js';
import { FollowedCertificate, readCertificate } from './certificate.js';
import type { AdmissionConfig } from './config.js';
import { AdmissionError } from './errors.js';
import { createMetrics } from './metrics.js';
import { PermitBook } from './permit-book.js';

/** A webhook that listens. */
export interface ServedAdmission {
  readonly url: string;
  /** Looks at the permits and the certificate now. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Serves a webhook with TLS.
 * @throws AdmissionError when it may not start
 */
export async function serveAdmission(
  config: AdmissionConfig,
  trust: Pick<PermitTrust, 'policy' | 'signerKeys'>,
  logger: Logger = createLogger('treering-admission', config.log_level),
): Promise<ServedAdmission> {
  if (config.permits === undefined && !config.annotated)
    throw new AdmissionError(
      'admission/config',
      'nothing could ever be let in: give a folder of permits, or take them from pods',
    );
  const allowed = allowedImages(config.allow_images);
  const first = await readCertificate(config.cert, config.key);
  const certificate = new FollowedCertificate([config.cert, config.key], first, logger);
  const book = config.permits === undefined ? undefined : new PermitBook(config.permits, logger);
  await book?.follow(config.interval);
  const rules = {
    trust: { ...trust, hasher: nodeHasher, ed25519: nodeEd25519 },
    book,
    annotated: config.annotated,
    allowed,
    namespaces: new Map(Object.entries(config.namespaces)),
    connect: new Set<string>(config.allow_connect),
    maxAge: config.max_age,
    clock: Date.now,
  };
  const metrics = createMetrics(book, () => certificate.expires);
  const app = createApp({ rules, metrics, bodies: new ByteBudget(config.body_bytes), logger, timeout: config.timeout });
  const http = await listen(app.fetch, {
    listen: config.listen,
    connections: config.connections,
    tls: first,
    // The app gives up earlier, with a sentence.
    requestTimeout: 2 * config.timeout,
  }).catch((error) => {
    book?.close();
    throw error;
  });
  certificate.follow(config.interval, http.renew);
  logger.info({ url: http.url, permits: book?.size }, 'the webhook is open');
  return {
    url: http.url,
    async reload() {
      await Promise.all([book?.refresh(), certificate.refresh(http.renew)]);
    },
    async close() {
      book?.close();
      certificate.close();
      await http.close();
    },
  };
}

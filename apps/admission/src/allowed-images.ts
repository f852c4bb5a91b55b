import { type PinnedImage, parsePinnedImage } from '@treering/deployment';
import { AdmissionError } from './errors.js';

/** Decides whether an image may run beside the permitted one. */
export type AllowedImages = (image: PinnedImage) => boolean;

const ANY_DIGEST = '*';

/**
 * Reads patterns `<repository>@sha256:<64 hex digits>`. In the repository, `*` stands for characters of one segment, and not for a
 * slash; `@sha256:*` takes every digest. They are compared as they were written: `nginx` is not `docker.io/library/nginx`.
 * @throws AdmissionError (admission/config)
 */
export function allowedImages(patterns: readonly string[]): AllowedImages {
  const rules = patterns.map((pattern) => {
    const at = pattern.lastIndexOf('@sha256:');
    const digest = pattern.slice(at + '@sha256:'.length);
    const repository = pattern.slice(0, Math.max(at, 0));
    const sample = `${repository.replaceAll('*', 'x')}@sha256:${digest === ANY_DIGEST ? '0'.repeat(64) : digest}`;
    const image = parsePinnedImage(sample);
    if (at < 0 || image === undefined || image.repository !== repository.replaceAll('*', 'x'))
      throw new AdmissionError(
        'admission/config',
        `${pattern} is no pattern of images: it reads registry.example/istio/*@sha256:<64 hex digits>, or @sha256:* for every digest`,
      );
    const literal = repository.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return { repository: new RegExp(`^${literal.join('[^/]*')}$`), digest };
  });
  return ({ repository, digest }) => {
    const hex = Buffer.from(digest).toString('hex');
    return rules.some((rule) => rule.repository.test(repository) && (rule.digest === ANY_DIGEST || rule.digest === hex));
  };
}

import * as z from 'zod';

/** SHA-256 digests, leaf hashes and roots: 32 bytes. */
export const digest = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32, 'must be 32 bytes')
  .meta({ description: 'SHA-256, 32 bytes' });

/** Control characters, line separators and direction marks could make a text read as what it is not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be refused
const UNREADABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Cs}/u;

/** One line of text that shows as what it is. Lengths count characters (code points). */
export function line(min: number, max: number): z.ZodType<string> {
  return z
    .string()
    .refine((text) => !UNREADABLE.test(text), 'must not hold control or direction characters')
    .refine((text) => {
      // Only characters beyond the first 65,536 are written with two units.
      const length = /[\ud800-\udfff]/.test(text) ? Array.from(text).length : text.length;
      return length >= min && length <= max;
    }, `must have ${min} to ${max} characters`);
}

const SEGMENT = /^[a-z0-9._@-]+$/;

/** Whether a text is a subject: 1 to 8 segments of [a-z0-9._@-], at most 200 bytes, none of them '.' or '..'. */
export function isSubject(text: string): boolean {
  const segments = text.split('/');
  return text.length <= 200 && segments.length <= 8 && segments.every((s) => SEGMENT.test(s) && s !== '.' && s !== '..');
}

/** What a record is about: a path such as `model/wink`. */
const subject = z.string().refine(isSubject, 'must be 1 to 8 segments of [a-z0-9._@-] joined by "/", at most 200 bytes');

/** A name that can be one segment of a subject. */
export const segment = z
  .string()
  .refine((text) => isSubject(text) && !text.includes('/'), 'must be one segment of [a-z0-9._@-]');

/** A decimal number as text, because the log's CBOR has no floats. */
export const decimal = z
  .string()
  .regex(/^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$/, 'must be a decimal number such as "0.75"');

/** Milliseconds since the epoch. */
export const milliseconds = z.int().min(0);

/** Seconds since the epoch, as in the header's `iat`. */
export const seconds = z.int().min(0);

/** `type/subtype` */
const mediaType = z.string().regex(/^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}$/, 'must be a media type');

/** A path inside a manifest or a set of files: relative, with '/', without empty, '.' and '..' segments. */
export const relativePath = line(1, 1024).refine(
  (path) => path === '.' || path.split('/').every((s) => s !== '' && s !== '.' && s !== '..'),
  'must be a relative path',
);

/** Who may read an attachment. */
export const access = z.enum(['public', 'restricted', 'withheld']);

/** How bad an incident is, in rising order. */
export const severity = z.enum(['low', 'medium', 'high', 'critical']);

/** Content that is stored beside the log. `digest` is SHA-256(salt ‖ content); `size` counts the content without the salt. */
const attachment = z.strictObject({
  name: relativePath,
  media_type: mediaType,
  size: z.int().min(0),
  digest,
  access,
});

/** The members that every record has. */
export const common = {
  v: z.literal(1),
  subject,
  reason: line(10, 2000),
  effective_from: milliseconds.optional(),
  prev: digest.optional(),
  anchor: z.strictObject({ size: z.int().min(0), root: digest }).optional(),
  refs: z
    .array(z.strictObject({ rel: line(1, 100), leaf: digest }))
    .max(256)
    .optional(),
  ticket: line(1, 500).optional(),
  attachments: z.array(attachment).max(256).optional(),
  retention: z.strictObject({ rule: line(1, 200), until: milliseconds }).optional(),
};

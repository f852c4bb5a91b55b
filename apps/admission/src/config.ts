import { z } from 'zod';

/** Everything an operator can set. */
export const configSchema = z.strictObject({
  listen: z.string().regex(/^.*:\d{1,5}$/, 'reads <host>:<port>'),
  /** Files in PEM, read again when they change. */
  cert: z.string().min(1),
  key: z.string().min(1),
  /** Folder of permits, read again when it changes. */
  permits: z.string().min(1).optional(),
  /** Whether pods may bring their permit in an annotation. */
  annotated: z.boolean().default(true),
  /** Patterns of images that may run beside a permitted one. */
  allow_images: z.array(z.string()).max(1000).default([]),
  /** Subresources of pods that may be connected to although that starts a process. */
  allow_connect: z.array(z.enum(['exec', 'attach'])).default([]),
  /** The environment of each namespace that is bound to one. */
  namespaces: z
    .record(z.string().min(1), z.string().regex(/^[a-z0-9._@-]{1,200}$/, 'is no name of an environment'))
    .default({}),
  /** Seconds that a permit may be old. */
  max_age: z.int().min(1).optional(),
  connections: z.int().min(1).default(500),
  /** Bytes of bodies under way. */
  body_bytes: z
    .int()
    .min(3 * 1024 * 1024)
    .default(64 * 1024 * 1024),
  /** Milliseconds in which a request is answered or given up; the API server waits for 10 seconds unless it is told otherwise. */
  timeout: z.int().min(100).max(30_000).default(5_000),
  /** Milliseconds between two looks at the permits and the certificate. */
  interval: z.int().min(10).default(2_000),
  log_level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The settings of a webhook. */
export type AdmissionConfig = z.infer<typeof configSchema>;

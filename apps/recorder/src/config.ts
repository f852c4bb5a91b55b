import { z } from 'zod';
import { RecorderError } from './errors.js';
import { parseMapping } from './source-map.js';

const configSchema = z.strictObject({
  /** Folder of the store. */
  data: z.string().min(1),
  listen: z.string().regex(/^.*:\d{1,5}$/, 'reads <host>:<port>'),
  /** The webhook's secret, as it was given to MLflow. */
  secret: z.string().min(16, 'has at least 16 characters, for it is all that tells MLflow from anybody else'),
  /** `<uri prefix>=<folder>` */
  mappings: z.array(z.string()).min(1, 'say where the files of the models are'),
  connections: z.int().min(1).default(200),
  body_bytes: z
    .int()
    .min(256 * 1024)
    .default(16 * 1024 * 1024),
  log_level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The settings of a recorder. */
export type RecorderConfig = Omit<z.infer<typeof configSchema>, 'mappings'> & {
  readonly mappings: readonly ReturnType<typeof parseMapping>[];
};

/** Reads the settings of a recorder. @throws RecorderError (recorder/config); no message repeats the secret */
export function parseConfig(value: unknown): RecorderConfig {
  const result = configSchema.safeParse(value);
  if (!result.success) {
    const [{ path, message }] = result.error.issues;
    throw new RecorderError('recorder/config', `${path.join('.')}: ${message}`);
  }
  return { ...result.data, mappings: result.data.mappings.map(parseMapping) };
}

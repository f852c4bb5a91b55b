import { resolve } from 'node:path';
import { AdmissionError, configSchema, serveAdmission } from '@treering/admission';
import { EXIT, UsageError } from '../exit.js';
import { type PermitTrustFlags, readPermitTrust } from '../permit-trust.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';

/** Flags of `admission serve`. */
export interface AdmissionFlags extends Omit<PermitTrustFlags, 'logKey'> {
  readonly cert: string;
  readonly key: string;
  readonly listen?: string;
  readonly permits?: string;
  readonly annotatedPermits: boolean;
  readonly allowImage?: readonly string[];
  readonly allowConnect?: readonly string[];
  readonly namespace?: readonly string[];
  /** Seconds. */
  readonly maxAge?: number;
  readonly connections?: number;
  readonly logLevel?: string;
}

/** `admission serve`: decides about pods until it is told to end. */
export async function serveAdmissionCommand(session: Session, flags: AdmissionFlags): Promise<number> {
  const { terminal, env, cwd } = session;
  const trust = await readPermitTrust(flags, cwd);
  const parsed = configSchema.safeParse(
    JSON.parse(
      JSON.stringify({
        listen: flags.listen ?? env.TREERING_LISTEN ?? '0.0.0.0:8443',
        cert: resolve(cwd, flags.cert),
        key: resolve(cwd, flags.key),
        permits: flags.permits === undefined ? undefined : resolve(cwd, flags.permits),
        annotated: flags.annotatedPermits,
        allow_images: flags.allowImage,
        allow_connect: flags.allowConnect,
        namespaces: namespacesOf(flags.namespace ?? []),
        max_age: flags.maxAge,
        connections: flags.connections,
        log_level: flags.logLevel ?? env.TREERING_LOG_LEVEL,
      }),
    ),
  );
  if (!parsed.success)
    throw new UsageError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  const signalled = untilSignal();
  const served = await serveAdmission(parsed.data, trust).catch((error: unknown) => {
    throw error instanceof AdmissionError ? new UsageError(error.message) : error;
  });
  const reload = (): void => void served.reload();
  process.on('SIGHUP', reload);
  terminal.line(`${terminal.bold('The webhook')} decides at ${served.url}/validate`);
  if (trust.policy.quorum === 'none') terminal.remark('The policy asks for no quorum of witnesses: the log alone decides.');
  if (trust.signerKeys === 'any') terminal.remark("Whose deployments count is left to the log's rules.");
  terminal.result({ url: served.url, quorum: trust.policy.quorum !== 'none' });
  await signalled;
  process.off('SIGHUP', reload);
  await served.close();
  return EXIT.ok;
}

function namespacesOf(bindings: readonly string[]): Record<string, string> {
  const pairs = bindings.map((binding) => {
    const [, namespace, environment] = /^([a-z0-9-]{1,63})=([a-z0-9._@-]+)$/.exec(binding) ?? [];
    if (namespace === undefined || environment === undefined)
      throw new UsageError(`--namespace reads <namespace>=<environment>, and not ${binding}`);
    return [namespace, environment] as const;
  });
  const twice = pairs.find(([name], i) => pairs.findIndex(([other]) => other === name) !== i);
  if (twice !== undefined) throw new UsageError(`the namespace ${twice[0]} is bound twice`);
  return Object.fromEntries(pairs);
}

import { ClientError, type LogClient, type ReadEntry } from '@treering/client';
import { type InService, inService } from '@treering/deployment';
import type { RecordOf } from '@treering/record';

/** A deployment record, its place in the log proved. */
type DeploymentRead = ReadEntry & { readonly record: RecordOf<'deployment'> };

/** Records of a subject that are read before more of them are: verifications stand there as well. */
const FEW = 16;

/**
 * Where a service stands by the records of its subject. Each is proved; that there are no others, and no newer ones, is only what the
 * log says: who must not depend on that replays it (`SeenDeployments`).
 * @throws ClientError
 */
export async function readStanding(client: LogClient, subject: string): Promise<InService<DeploymentRead>> {
  for (let limit = FEW; ; limit *= 4) {
    const entries = await client.history(subject, limit).catch((error: unknown) => {
      if (error instanceof ClientError && error.status === 404) return [];
      throw error;
    });
    const deployments = entries.flatMap((entry) => (entry.record?.type === 'deployment' ? [entry as DeploymentRead] : []));
    const active = deployments.findIndex(({ record }) => record.phase === 'active');
    // What came before the announcement of the newest active record has been replaced by it.
    const enough = active >= 0 && deployments.slice(active).some(({ record }) => record.phase === 'intent');
    if (enough || entries.length < limit) return inService(deployments.reverse());
  }
}

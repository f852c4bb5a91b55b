import type { GovernanceState, Version } from '@treering/governance';
import { hex } from '@treering/note';
import type { DeployedParts } from './deployed-parts.js';
import { GateRefusal } from './refusal.js';

/** The records of a model and a configuration that are to be deployed. */
export interface LoggedParts {
  readonly model: Version;
  readonly config: Version;
}

/**
 * Finds what lies on disk in the log, by its digests alone: whatever it is called, it is what was recorded.
 * @param names subjects without `model/` and `config/`, where the same content was recorded more than once
 * @throws GateRefusal gate/not-logged
 */
export function findLogged(
  state: GovernanceState,
  parts: Pick<DeployedParts, 'model' | 'config'>,
  names: { readonly model?: string | undefined; readonly config?: string | undefined },
): LoggedParts {
  return {
    model: find(state, 'model', parts.model, names.model),
    config: find(state, 'config', parts.config.digest, names.config),
  };
}

/** Of the newest versions with this content, the one that was recorded last. */
function find(state: GovernanceState, type: 'model' | 'config', digest: Uint8Array, name: string | undefined): Version {
  const wanted = hex(digest);
  const subject = name === undefined ? undefined : `${type}/${name}`;
  const found = state
    .versionsOf(type)
    .filter((version) => subject === undefined || version.subject === subject)
    .filter(({ leaf }) => state.content(hex(leaf))?.digest === wanted)
    .sort((a, b) => b.index - a.index)[0];
  if (found !== undefined) return found;
  const what = type === 'model' ? 'the files of the model' : 'the files of the configuration, and what they set,';
  const where = subject === undefined ? `of any ${type}` : `of ${subject}`;
  throw new GateRefusal(
    'gate/not-logged',
    `${what} are not the newest record ${where} in the log (digest ${wanted}): record them first with "treering record ${type}", or deploy what was recorded`,
  );
}

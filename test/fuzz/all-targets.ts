import type { Target } from './target.js';
import { answerTargets } from './targets/answers.js';
import { evidenceTargets } from './targets/evidence.js';
import { foreignTargets } from './targets/foreign.js';
import { noteTargets } from './targets/notes.js';
import { operatorTargets } from './targets/operators.js';
import { serverTargets } from './targets/servers.js';
import { statementTargets } from './targets/statements.js';
import { tokenTargets } from './targets/tokens.js';
import { treeTargets } from './targets/trees.js';

/** Every target. */
export const ALL_TARGETS: readonly Target[] = [
  ...noteTargets,
  ...treeTargets,
  ...statementTargets,
  ...tokenTargets,
  ...serverTargets,
  ...evidenceTargets,
  ...foreignTargets,
  ...operatorTargets,
  ...answerTargets,
];

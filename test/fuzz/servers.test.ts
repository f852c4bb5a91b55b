import { test } from 'uvu';
import { testTargets } from './run-targets.js';
import { noteTargets } from './targets/notes.js';
import { serverTargets } from './targets/servers.js';
import { statementTargets } from './targets/statements.js';
import { tokenTargets } from './targets/tokens.js';
import { treeTargets } from './targets/trees.js';

// What logs, witnesses, mirrors, monitors, recorders and webhooks read.

testTargets([...noteTargets, ...treeTargets, ...statementTargets, ...tokenTargets, ...serverTargets], {
  name: 'fuzz-servers',
  scenario: 'mutated inputs for every parser of a server',
});

test.run();

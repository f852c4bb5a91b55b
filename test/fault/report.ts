import { machineText } from '../../bench/machine.js';
import { replaceBetween, table } from '../../bench/report.js';
import type { StoredOutcome } from './results.js';

const GROUPS: Readonly<Record<StoredOutcome['group'], string>> = {
  log: 'The process of the log',
  disk: 'Its disk',
  time: 'Its clock and its neighbours on the machine',
  witness: 'Witnesses',
  network: 'The network',
  load: 'Load',
  input: 'What strangers send',
};

/** docs/reliability.md with its tables, between the marks `<!-- faults -->` and `<!-- /faults -->`. */
export function reliabilityText(text: string, outcomes: readonly StoredOutcome[]): string {
  const sections = Object.entries(GROUPS).flatMap(([group, title]) => {
    const own = outcomes.filter((outcome) => outcome.group === group);
    return own.length === 0 ? [] : [`## ${title}`, '', ...tableOf(own), ''];
  });
  const runs = [...new Set(outcomes.map(({ date, commit, size }) => `${date}, commit ${commit} (${size})`))];
  const machines = [...new Set(outcomes.map(({ machine }) => machineText(machine)))];
  const measured = `Run on ${machines.join('; and ')}: ${runs.join('; ')}.`;
  return replaceBetween(text, 'faults', [...sections, ...(outcomes.length === 0 ? ['Not run yet.'] : [measured])].join('\n'));
}

/** Only what passed is stored, and whatever is lost or signed twice fails: these columns hold what was looked for and not found. */
function tableOf(outcomes: readonly StoredOutcome[]): string[] {
  const head = ['scenario', 'runs', 'acknowledged', 'lost', 'heads seen', 'signed twice', 'recovery: median, worst', 'besides'];
  const rows = outcomes.map(({ scenario, runs, unit, acknowledged, heads, recovery, also = '' }) => [
    scenario,
    `${count(runs)} ${unit}`,
    acknowledged === undefined ? '' : count(acknowledged),
    acknowledged === undefined ? '' : '0',
    heads === undefined ? '' : count(heads),
    heads === undefined ? '' : '0',
    recovery === undefined ? '' : `${seconds(recovery.median)}, ${seconds(recovery.worst)}`,
    also,
  ]);
  return table([head, ...rows]);
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

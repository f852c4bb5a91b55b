import { type Command, Option } from 'commander';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';

const closeIncident = lazy(async () => (await import('./commands/incident.js')).closeIncident);
const openIncident = lazy(async () => (await import('./commands/incident.js')).openIncident);
const updateIncident = lazy(async () => (await import('./commands/incident.js')).updateIncident);
const listIncidents = lazy(async () => (await import('./commands/incident-list.js')).listIncidents);

const SEVERITIES = ['low', 'medium', 'high', 'critical'];
const HARMS = ['death', 'health', 'critical-infrastructure', 'fundamental-rights', 'property-or-environment', 'widespread'];

/** The commands for what went wrong. */
export function addIncidentCommands(program: Command, { remote, signing, run }: Commands): void {
  const incident = program
    .command('incident')
    .description('record what went wrong, by when it is reported, and what it affects (AI Act Art. 73)');
  /** With what `open` and `update` both say. */
  const describing = (cmd: Command): Command =>
    cmd
      .requiredOption('--reason <sentence>', 'what happened, in a sentence of at least 10 characters')
      .addOption(new Option('--harm <harm>', 'what came of it, if it is a serious incident').choices(HARMS))
      .option('--affects <entry or subject...>', 'what it affects, such as deploy/prod/triage: its newest active deployment')
      .option('--authority <name...>', 'authorities that are told');
  describing(signing(incident, 'open <name>', 'an incident, as incident/<name>, with the date on which its report is due'))
    .addOption(new Option('--severity <severity>', 'how bad it is').choices(SEVERITIES).makeOptionMandatory())
    .option('--aware <time>', 'when somebody became aware of it (UTC), instead of now')
    .option('--freeze <subjects>', 'subjects on which nothing more is recorded, such as deploy/prod/triage')
    .option('--until <time>', 'how long they are frozen (UTC); without it, until the freeze is lifted')
    .action((name, flags) => run((s) => openIncident(s, name, flags))(flags));
  describing(signing(incident, 'update <name>', 'what more is known of an open incident'))
    .addOption(new Option('--severity <severity>', 'how bad it is').choices(SEVERITIES))
    .option('--aware <time>', 'an earlier time at which somebody was aware of it (UTC)')
    .option('--reported', 'the report was made: none is due any more')
    .action((name, flags) => run((s) => updateIncident(s, name, flags))(flags));
  signing(incident, 'close <name>', 'the incident is over')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .action((name, flags) => run((s) => closeIncident(s, name, flags))(flags));
  remote(incident, 'list', 'the incidents of the log and when reports are due: exit code 1 when one is overdue')
    .option('--open', 'only those that are not closed')
    .action((flags) => run((s) => listIncidents(s, flags))(flags));
}

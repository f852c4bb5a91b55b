import type { Question } from '@treering/evidence';
import { type Command, Option } from 'commander';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';

const recordDecisions = lazy(async () => (await import('./commands/decisions.js')).recordDecisions);
const exportEvidence = lazy(async () => (await import('./commands/evidence-export.js')).exportEvidence);
const evidencePage = lazy(async () => (await import('./commands/evidence-page.js')).evidencePage);
const listPresets = lazy(async () => (await import('./commands/retention.js')).listPresets);
const retentionReport = lazy(async () => (await import('./commands/retention.js')).retentionReport);

/** Which attachments can be disclosed. The names of the package are not loaded for them, but checked against it. */
const DISCLOSURES: Readonly<Record<Question['attachments'], true>> = { none: true, public: true, restricted: true };

/** The commands by which others are shown what a log says. */
export function addEvidenceCommands(program: Command, { command, remote, signing, run }: Commands): void {
  const evidence = program.command('evidence').description('answer a question about a log with one file that verifies offline');
  remote(evidence, 'export', 'collect the records of subjects with all that they refer to, and prove them under one head')
    .option('--subject <subject...>', 'what is asked about, such as deploy/prod/triage or model/**')
    .option('--from <time>', 'the period, by when records were signed: 2026-01-01 or 2026-01-01T12:00:00Z')
    .option('--to <time>', 'its end; a day alone is meant whole')
    .addOption(
      new Option('--attachments <which>', 'attachments to disclose; restricted ones need a key that may read them')
        .choices(Object.keys(DISCLOSURES))
        .default('public'),
    )
    .option('--everything', 'all entries of the log, so that the file proves what is not there as well')
    .option('--decisions <file>', 'what "treering decisions record" wrote')
    .option('--decision <id...>', 'decisions to prove, and no others of the file')
    .requiredOption('-o, --out <file>', 'where to write the pack (.trpack)')
    .option('--html <file>', 'also a page that shows and verifies it in a browser')
    .option('--key <key>', 'your key, for restricted attachments (TREERING_KEY)')
    .action((flags) => run((s) => exportEvidence(s, flags))(flags));
  command(evidence, 'page [pack]', 'the page that verifies packs in a browser, with or without one')
    .requiredOption('-o, --out <file>', 'where to write it')
    .action((pack, flags) => run((s) => evidencePage(s, pack, flags))(flags));

  const decisions = program.command('decisions').description('log decisions without showing them, and prove single ones later');
  signing(decisions, 'record <file>', 'a batch of decisions, one line of JSON each: id, at, outcome')
    .requiredOption('--deployment <entry>', 'the record that put into service what decided')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--subject <subject>', 'what it is about (decisions/<environment>/<service>)')
    .option('--keep <file>', 'where the decisions with their salts are kept (<file>.decisions)')
    .option('--no-rebase', 'end when somebody else has recorded something on the subject meanwhile')
    .action((file, flags) => run((s) => recordDecisions(s, file, flags))(flags));

  const retention = program.command('retention').description('until when attachments are kept, by which rules');
  remote(retention, 'report', 'replay the log, and list the attachments that rules hold and those that none does')
    .option('--rule <preset...>', 'presets that count (all of them)')
    .option('--at <date>', 'the day or time (UTC) to look from, instead of now')
    .option('--subject <subject>', 'only what records of this subject name')
    .action((flags) => run((s) => retentionReport(s, flags))(flags));
  command(retention, 'presets', 'the rules that a report can count with').action((flags) => run((s) => listPresets(s))(flags));
}

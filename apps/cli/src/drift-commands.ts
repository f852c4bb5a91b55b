import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from './exit.js';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';
import { timerSpan } from './time-span.js';

const drift = lazy(async () => (await import('./commands/drift.js')).drift);
const driftHistory = lazy(async () => (await import('./commands/drift-history.js')).driftHistory);
const evaluate = lazy(async () => (await import('./commands/evaluate.js')).evaluate);

const DATASET = ['--dataset <file>', 'examples with the right answers, a line of JSON each: input, expected, slice'] as const;
const ENVIRONMENT = ['--env <environment>', 'the environment, such as prod'] as const;
const SERVICE = ['--service <service>', 'the service, such as triage'] as const;
const SVG = ['--svg <file>', 'also draw the metrics over time as a picture'] as const;

/** The commands that ask a deployed model, and compare its answers with what was logged. */
export function addDriftCommands(program: Command, { remote, signing, run, positive }: Commands): void {
  /** Which model is asked, and how. */
  const asking = (cmd: Command): Command =>
    cmd
      .option('--endpoint <url>', 'ask a JSON endpoint by HTTP (its token: TREERING_ENDPOINT_TOKEN)')
      .option('--mapping <file>', 'how it is asked and its answers are read; of others, how answers are read')
      .option('--openai <url>', 'ask an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1')
      .option('--model-name <name>', 'under which name it serves the model')
      .option('--completions', 'ask for completions instead of chat')
      .option('--command <program...>', 'ask a program that reads and writes lines of JSON; its own options follow after --')
      .option('--positive <label>', 'the label whose precision, recall and F1 are meant (the mean over all labels)')
      .option('--sample <n>', 'ask for so many examples, drawn by chance', positive)
      .option('--concurrency <n>', 'questions at once', positive, 4)
      .option('--timeout <s>', 'seconds for one answer', positive, 30)
      .option('--max-unanswered <share>', 'share of examples that may stay unanswered', share, 0.02);

  asking(signing(program, 'evaluate [arguments...]', 'measure a model in a configuration, and record that as its baseline'))
    .requiredOption(...DATASET)
    .requiredOption('--model <entry or name>', 'the model: an entry, or the newest one of this name')
    .requiredOption('--config <entry or name>', 'the configuration: an entry, or the newest one of this name')
    .requiredOption('--suite <name>', 'what the examples are called')
    .requiredOption('--tolerance <tolerance...>', 'what has to hold: accuracy:min=0.9, or recall@night:min=0.8,max=1')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--subject <subject>', 'what it is recorded under (evaluation/<name of the model>)')
    .option('--no-rebase', 'end when somebody else has recorded something on the subject meanwhile')
    .action((rest, flags) => run((s) => evaluate(s, withArguments(flags, rest)))(flags));

  const group = asking(signing(program, 'drift [arguments...]', 'compare how a deployed model answers with its evaluation'))
    // What `drift history` needs is not asked of `drift`, and the other way round.
    .enablePositionalOptions()
    .option(...ENVIRONMENT)
    .option(...SERVICE)
    .option(...DATASET)
    .option('--evaluation <entry>', 'the evaluation to compare with (the newest that passed before the deployment)')
    .option('--every <time>', 'again and again, such as 15m, 1h or 1d, until it is told to end', timerSpan)
    .option(...SVG)
    .option('--dry-run', 'record nothing')
    .action((rest, flags) => run((s) => drift(s, withArguments(required(flags, ['env', 'service', 'dataset']), rest)))(flags));
  remote(group, 'history', 'how the metrics of a deployment went')
    .requiredOption(...ENVIRONMENT)
    .requiredOption(...SERVICE)
    .option('--metric <metric>', 'only this one, such as accuracy or recall@night')
    .option(...SVG)
    .option('--limit <n>', 'at most so many of the newest records', positive, 200)
    .action((flags) => run((s) => driftHistory(s, flags))(flags));
}

/** Flags that have to be there. @throws UsageError */
function required<F extends object>(flags: F, names: readonly string[]): F {
  const missing = names.find((name) => (flags as Record<string, unknown>)[name] === undefined);
  if (missing !== undefined) throw new UsageError(`--${missing} is needed`);
  return flags;
}

/** What follows after -- belongs to the command that is asked. @throws UsageError without one */
function withArguments<F extends { readonly command?: readonly string[] }>(flags: F, rest: readonly string[]): F {
  if (rest.length === 0) return flags;
  if (flags.command === undefined) throw new UsageError(`"${rest[0]}" is no argument of this command`);
  return { ...flags, command: [...flags.command, ...rest] };
}

function share(text: string): number {
  if (!/^0(?:\.[0-9]{1,6})?$/.test(text)) throw new InvalidArgumentError('It takes a share from 0 to less than 1.');
  return Number(text);
}

import { Command } from 'commander';
import type { CommonFlags } from './settings.js';

/**
 * Runs the `treering` command as a process of its own. `permit verify` stands before entry points, so it is answered without
 * loading what runs logs; whatever it cannot answer by itself, mistakes and questions for help among them, goes the usual way.
 * @returns the exit code
 */
export async function start(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'permit' && argv[1] === 'verify') {
    const exit = await verifyOnly(argv);
    if (exit !== undefined) return exit;
  }
  const { main } = await import('./main.js');
  const code = await main(argv);
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    const { nodeHasher } = await import('@treering/merkle/node');
    process.stdout.write(`SHA-256 by ${nodeHasher.name}\n`);
  }
  return code;
}

/** The exit code, or undefined when nothing could be said and nothing was printed. */
async function verifyOnly(argv: readonly string[]): Promise<number | undefined> {
  const [{ addPermitCommands }, { createTerminal }] = await Promise.all([
    import('./permit-commands.js'),
    import('./terminal.js'),
  ]);
  const { stdin, stdout, stderr, env } = process;
  let exit: number | undefined;
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  const program = new Command('treering').enablePositionalOptions().configureOutput(silent).exitOverride();
  addPermitCommands(program, {
    command: (parent, usage, description) =>
      parent.command(usage).description(description).option('--json').option('--data <folder>'),
    run: (work) => async (flags: CommonFlags) => {
      const terminal = createTerminal({ stdin, stdout, stderr, env }, flags.json ?? false);
      const code = await work({ terminal, env, cwd: process.cwd() });
      exit = typeof code === 'number' ? code : undefined;
    },
  });
  // The usual way meets the same mistake, and knows how to say it. No exit code survives an error.
  return program.parseAsync([...argv], { from: 'user' }).then(
    () => exit,
    () => undefined,
  );
}

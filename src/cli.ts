import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { verbs } from './commands/index.js';
import { type DeclaredCommand, declaredCommands } from './declared-commands.js';
import { restore } from './declared-help.js';
import { EvicpressError, nearestName, printable, systemFault } from './errors.js';
import { PACKAGE_ROOT } from './package-root.js';
import { paint } from './report/colour.js';

/**
 * Runs the command line and sets the exit code. The one place that catches errors: what the user can fix is
 * one message and exit code 1, 3, 4 or 130; anything else is a defect of ours, exit code 2.
 * @param argv as process.argv.
 */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', goOnWhenThePipeCloses);
  // What nobody reads any more, warnings and progress, is no reason to leave the work undone.
  process.stderr.on('error', () => undefined);
  let action: Command | undefined;
  try {
    const program = await createProgram(argv, (called) => {
      action = called;
    });
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = report(
      action === undefined ? error : await (await import('./configured-options.js')).located(error, action),
    );
  }
}

/** The commander program. Only the verb that is called is loaded, so that `--help` starts quickly. */
export async function createProgram(
  argv: readonly string[],
  onAction: (action: Command) => void,
): Promise<Command> {
  const program = new Command('evicpress')
    .description(
      'Profiles KV-cache tiers and compression, plans where every context should live, and proves it.',
    )
    .version(readVersion(), '-V, --version')
    .option('-C, --directory <dir>', 'work as if started in this folder', enterFolder)
    .option('-q, --quiet', 'print results and errors only')
    .option('--json', 'print one JSON object')
    .option('--progress <form>', 'progress as text, json or none')
    .showSuggestionAfterError(true)
    .enablePositionalOptions(false)
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp(HELP_STYLE)
    .commandsGroup('Start:')
    // Loaded when something is done: a help text needs no configuration.
    .hook('preAction', async (_, action) => {
      onAction(action);
      const { applyConfig, checkGiven, refuseOverwriting } = await import('./configured-options.js');
      checkGiven(action);
      await applyConfig(action);
      await refuseOverwriting(action);
    });
  const called = calledVerb(argv);
  for (const verb of verbs) {
    const command = program.command(verb.name).description(verb.summary).helpGroup(`${verb.group}:`);
    command.exitOverride().configureOutput({ outputError: () => undefined });
    const declared = verb.name === called ? helpOf(verb.name, argv) : undefined;
    if (declared !== undefined) restore(command, declared);
    else if (verb.name === called) (await verb.load()).default(command);
    else command.allowUnknownOption().allowExcessArguments();
  }
  program.addHelpText('after', HELP_AFTER);
  return program;
}

const HELP_STYLE = {
  /** Descriptions are wrapped down to this width, so that a narrow terminal shows a table still. */
  minWidthToWrap: 20,
  styleTitle: (text: string) => paint('strong', text),
  styleCommandText: (text: string) => paint('command', text),
  styleSubcommandTerm: (text: string) => paint('command', text),
  styleOptionTerm: (text: string) => paint('command', text),
};

const HELP_AFTER = `
Examples:
  evicpress demo
  evicpress profile tiers --tier dram=dram --tier ssd=file:/mnt/nvme
  evicpress plan --trace requests.jsonl --capacity dram=80GB --alpha 2
  evicpress replay requests.jsonl --policies lru,belady,evicpress

Each command has its own help: evicpress plan --help`;

function readVersion(): string {
  const text = readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function enterFolder(folder: string): string {
  try {
    process.chdir(folder);
  } catch {
    throw new EvicpressError(`${printable(folder)}: no such folder. Make it first, or leave -C out.`);
  }
  return folder;
}

/** What the help of a verb is printed from, where only its help is asked for. */
function helpOf(verb: string, argv: readonly string[]): DeclaredCommand | undefined {
  const words = argv.slice(2);
  const asked = words[0] === 'help' || words.includes('--help') || words.includes('-h');
  return asked ? declaredCommands().find(({ name }) => name === verb) : undefined;
}

/** The first word that names a verb; options of the program itself come before or after it. */
function calledVerb(argv: readonly string[]): string | undefined {
  const words = argv.slice(2);
  if (words[0] === 'help') return words[1];
  return words.find(
    (word, i) =>
      verbs.some((verb) => verb.name === word) &&
      !['-C', '--directory', '--progress'].includes(words[i - 1] ?? ''),
  );
}

function report(error: unknown): number {
  if (error instanceof EvicpressError) {
    process.stderr.write(`${culprit()} ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') return 1;
    process.stderr.write(`${culprit()} ${usageMessage(error)}\n`);
    return 1;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${culprit()} a defect of ours, please report it:\n${text}\n`);
  return 2;
}

/** What a message of failure begins with. */
function culprit(): string {
  return paint('bad', 'evicpress:', process.stderr);
}

function usageMessage(error: CommanderError): string {
  const message = error.message.replace(/^error: /, '');
  const option = /^unknown option '(.*)'(?:\n\(Did you mean (.*)\?\))?/.exec(message);
  if (option !== null) {
    const near = option[2] === undefined ? '' : ` Did you mean ${option[2]}?`;
    return `Unknown option ${printable(option[1]!)}.${near} See the command's --help.`;
  }
  const unknown = /^unknown command '(.*)'/.exec(message);
  const known = verbs.map((verb) => verb.name);
  if (unknown !== null) {
    const near = nearestName(unknown[1]!, known);
    return `Unknown command "${printable(unknown[1]!)}".${near === undefined ? '' : ` Did you mean ${near}?`} Pick one of: ${known.join(', ')}.`;
  }
  const sentence = message.charAt(0).toUpperCase() + message.slice(1);
  return `${sentence}${/[.!?)]$/.test(sentence) ? '' : '.'} See the command's --help.`;
}

/** A reader who goes away, as `head` does, must not leave the work half done, nor hide how it ended. */
function goOnWhenThePipeCloses(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.exit(report(systemFault(error, 'standard output')));
}

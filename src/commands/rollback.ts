import type { Command } from 'commander';
import { EvicpressError, printable } from '../errors.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { PUBLISH_FOLDER, reviewRollback } from '../workflows/generations.js';
import { confirmAndCarryOut } from './change.js';

interface RollbackFlags extends TerminalFlags {
  readonly state: string;
  readonly to?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `evicpress rollback`: puts an earlier plan back in force. */
export default function rollback(command: Command): void {
  command
    .option('--to <generation>', 'the generation to go back to (default: the one before the one in force)')
    .option('--state <folder>', 'where plans are published', PUBLISH_FOLDER)
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'show the difference only')
    .addHelpText('after', '\nExamples:\n  evicpress rollback\n  evicpress rollback --to 12 --yes')
    .action(async (_, cmd: Command) => {
      const flags = cmd.optsWithGlobals() as RollbackFlags;
      const change = await reviewRollback(flags.state, generationOf(flags.to));
      await confirmAndCarryOut(change, flags, openTerminal(flags));
    });
}

function generationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text))
    throw new EvicpressError(`--to: "${printable(text)}" is not a generation. Write it like 12.`);
  return Number(text);
}

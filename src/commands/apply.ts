import { join } from 'node:path';
import type { Command } from 'commander';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { PUBLISH_FOLDER, reviewApply } from '../workflows/generations.js';
import { confirmAndCarryOut } from './change.js';

interface ApplyFlags extends TerminalFlags {
  readonly state: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `evicpress apply`: publishes a plan, whole or not at all, after showing what it changes. */
export default function apply(command: Command): void {
  command
    .argument('[plan]', 'the plan to put in force', join(RESULTS_FOLDER, 'plan.ndjson'))
    .option('--state <folder>', 'where plans are published', PUBLISH_FOLDER)
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'show the difference only')
    .addHelpText(
      'after',
      `
Engines watch in-force.ndjson in that folder; it is replaced by rename. The last plans are kept: evicpress rollback.

Examples:
  evicpress apply plan.ndjson
  evicpress apply plan.ndjson --yes --state /var/lib/evicpress`,
    )
    .action(async (plan: string, _, cmd: Command) => {
      const flags = cmd.optsWithGlobals() as ApplyFlags;
      await confirmAndCarryOut(await reviewApply(flags.state, plan), flags, openTerminal(flags));
    });
}

import type { Command } from 'commander';
import { EvicpressError } from '../errors.js';
import { readConfig } from '../formats/config.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { significant } from '../units.js';
import { withoutTier } from '../workflows/refresh/outcome.js';
import { lookOnly } from '../workflows/refresh/turn.js';
import { addConstraintOptions } from './constraints.js';
import { collect } from './options.js';
import { TURN_OPTIONS, type TurnFlags, turnOptions } from './turn-options.js';
import { teller, turnTools } from './turn-tools.js';

interface DriftFlags extends TurnFlags, TerminalFlags {
  readonly logFormat: string;
  readonly exitCode?: boolean;
}

/** `evicpress drift`: what has changed since the plan in force was made. Writes nothing. */
export default function drift(command: Command): void {
  for (const [flags, description] of TURN_OPTIONS) command.option(flags, description);
  addConstraintOptions(command);
  command
    .option('--capacity <tier=size>', 'capacity of a tier; repeat for more', collect)
    .option('--log-format <form>', 'text or json', 'text')
    .option('--exit-code', 'exit with 3 when anything drifted')
    .addHelpText('after', '\nExamples:\n  evicpress drift\n  evicpress drift --probe-every never --exit-code')
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as DriftFlags));
}

async function run(flags: DriftFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const options = turnOptions({ ...flags, dryRun: true }, await readConfig('.'));
  const findings = await lookOnly(options, turnTools(flags, options, teller(flags.logFormat, terminal)));
  if (findings.length === 0) terminal.say('Nothing to judge by yet: no plan in force, no probe, no samples.');
  else
    terminal.table(
      ['check', 'of', 'measured', 'threshold', 'drift'],
      findings.map(({ check, subject, value, threshold, drifted }) => [
        check,
        subject,
        shown(value),
        shown(threshold),
        drifted ? 'yes' : 'no',
      ]),
    );
  const drifted = findings.filter((finding) => finding.drifted);
  for (const { evidence } of drifted) terminal.say(`\n${evidence}.`);
  terminal.result({ drifted: drifted.length > 0, findings: findings.map(withoutTier) });
  if (flags.exitCode === true && drifted.length > 0)
    throw new EvicpressError(
      `Drift: ${drifted.map(({ check, subject }) => `${check} of ${subject}`).join(', ')}.`,
      3,
    );
}

function shown(value: number | null): string {
  return value === null ? '-' : significant(value);
}

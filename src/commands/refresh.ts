import type { Command } from 'commander';
import { EvicpressError } from '../errors.js';
import { readConfig } from '../formats/config.js';
import { jsonText } from '../formats/files.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { type TurnResult, withoutTier } from '../workflows/refresh/outcome.js';
import { schedules } from '../workflows/refresh/schedules/index.js';
import { refreshTurn } from '../workflows/refresh/turn.js';
import { addConstraintOptions } from './constraints.js';
import { endWhenInterrupted } from './interrupted.js';
import { collect, flagName } from './options.js';
import { REFRESH_OPTIONS, TURN_OPTIONS, type TurnFlags, turnOptions } from './turn-options.js';
import { teller, turnTools } from './turn-tools.js';

interface RefreshFlags extends TurnFlags, TerminalFlags {
  readonly logFormat: string;
  readonly printCron?: boolean;
  readonly printSystemd?: boolean;
  readonly printK8s?: boolean;
  readonly printAlerts?: boolean;
  readonly printDashboard?: boolean;
}

/** `evicpress refresh`: one turn of re-planning. */
export default function refresh(command: Command): void {
  for (const [flags, description] of [...TURN_OPTIONS, ...REFRESH_OPTIONS])
    command.option(flags, description);
  addConstraintOptions(command);
  command
    .option('--capacity <tier=size>', 'capacity of a tier; repeat for more', collect)
    .option('--log-format <form>', 'text or json', 'text');
  for (const schedule of schedules) command.option(`--print-${schedule.name}`, `print ${schedule.summary}`);
  command
    .option('--print-alerts', 'print alert rules for Prometheus')
    .option('--print-dashboard', 'print a dashboard for Grafana')
    .addHelpText('after', EXAMPLES)
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as RefreshFlags));
}

const EXAMPLES = `
Exit codes: 0 done, whatever was decided; 1 something to put right; 4 another run is at it.

Examples:
  evicpress refresh --trace /var/log/vllm/requests.jsonl --model llama-3.1-8b --capacity dram=80GB
  evicpress refresh --print-systemd
  evicpress refresh --dry-run`;

async function run(flags: RefreshFlags): Promise<void> {
  const printed = await textToPrint(flags);
  if (printed !== undefined) {
    process.stdout.write(flags.json === true ? asObject(printed) : printed);
    return;
  }
  endWhenInterrupted();
  const terminal = openTerminal(flags);
  const options = turnOptions(flags, await readConfig('.'));
  const tell = teller(flags.logFormat, terminal);
  const turn = () => refreshTurn(options, turnTools(flags, options, tell));
  const result = await (flags.logFormat === 'json' ? tellingOfFailure(turn, tell) : turn());
  tell('info', sentence(result, options.dryRun), { outcome: result.outcome, generation: result.generation });
  terminal.result(summaryOf(result, options.dryRun));
}

/** A text as the one object of --json; the dashboard is one already. */
function asObject(text: string): string {
  return text.startsWith('{') ? text : jsonText({ text });
}

async function textToPrint(flags: RefreshFlags): Promise<string | undefined> {
  const asked = flags as unknown as Readonly<Record<string, unknown>>;
  const given = Object.keys(asked).filter((key) => key.startsWith('print') && asked[key] === true);
  if (given.length > 1)
    throw new EvicpressError(`${given.map(flagName).join(', ')} are given together. Print one at a time.`);
  const schedule = schedules.find(
    ({ name }) => asked[`print${name[0]!.toUpperCase()}${name.slice(1)}`] === true,
  );
  if (schedule !== undefined)
    return schedule.text({ folder: process.cwd(), program: process.argv[1] ?? 'evicpress' });
  if (flags.printAlerts === true) return (await import('../workflows/refresh/alerts.js')).alertRules();
  if (flags.printDashboard === true) return (await import('../workflows/refresh/dashboard.js')).dashboard();
  return undefined;
}

/** With a log of objects, errors are in it too; the command line prints them as always. */
async function tellingOfFailure<T>(work: () => Promise<T>, tell: ReturnType<typeof teller>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EvicpressError) tell('error', error.message, { exitCode: error.exitCode });
    throw error;
  }
}

function sentence({ outcome, generation, newRequests, reason }: TurnResult, dryRun: boolean): string {
  const would = dryRun ? ' (dry run: nothing was written)' : '';
  const inForce = dryRun && outcome === 'published' ? 'would be in force' : 'in force';
  const plan = generation === null ? 'no plan in force' : `generation ${generation} ${inForce}`;
  return `${outcome}: ${newRequests} new requests, ${plan}: ${reason}.${would}`;
}

function summaryOf(result: TurnResult, dryRun: boolean) {
  const { candidate, drift, ...rest } = result;
  return {
    ...rest,
    drift: drift.map(withoutTier),
    dryRun,
    ...(candidate === undefined
      ? {}
      : {
          candidate: {
            summary: candidate.header.summary,
            solveSeconds: candidate.solveSeconds,
            score: candidate.score,
            ...(candidate.comparison === undefined ? {} : { comparison: candidate.comparison }),
          },
        }),
  };
}

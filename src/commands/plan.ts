import { join } from 'node:path';
import type { Command } from 'commander';
import { EvicpressError, naming } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { RANGES } from '../formats/option-values.js';
import { PlacementGroups } from '../formats/placement-groups.js';
import { type Placement, type Plan, type PlanHeader, readPlan, writePlan } from '../formats/plan.js';
import { learnClassRules } from '../plan/class-rules.js';
import { demandsOf } from '../plan/demands.js';
import { planContexts } from '../plan/plan-contexts.js';
import type { Target } from '../plan/targets.js';
import { otherModelSentence } from '../report/diff-text.js';
import { planSummaryText, planTable } from '../report/plan-summary.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { shellWord } from '../shell-word.js';
import { formatBytes, formatCount, formatCounted, parseNumber, parseSeconds } from '../units.js';
import { PUBLISH_FOLDER, planInForce } from '../workflows/generations.js';
import { type PlanDifference, rowDifference } from '../workflows/plan-difference.js';
import type { DemandSource } from './demand.js';
import { fingerprints } from './inputs.js';
import { expectOneObjective, sameInputs } from './options.js';
import { costOfEngine, enginesText, withEngineKeys } from './plan-engine.js';
import { addProblemOptions, offeredRequest, type ProblemFlags, readRequest } from './problem-inputs.js';

interface PlanFlags extends ProblemFlags, TerminalFlags {
  readonly meanQuality?: string;
  readonly maxMeanTtft?: string;
  readonly migrationCost?: string;
  readonly solver?: string;
  readonly previous?: string;
  readonly maxGap?: string;
  readonly detailedExitcode?: boolean;
  readonly output?: string;
}

/** Exit code of --detailed-exitcode when the plan differs. */
const CHANGED = 10;

/** `evicpress plan`: the best option for every context at once. */
export default function plan(command: Command): void {
  addProblemOptions(command)
    .option('--mean-quality <q>', 'solve for alpha: mean quality not below this')
    .option('--max-mean-ttft <time>', 'solve for alpha: mean TTFT not above this, e.g. 300ms')
    .option('--solver <name>', 'dual, exact, greedy or greedy-per-byte')
    .option('--previous <plan>', 'the plan in force: warm start')
    .option('--migration-cost <seconds>', 'with --previous: seconds of waiting that moving one GB is worth')
    .option('--max-gap <share>', 'exit with 3 when the gap of span is larger')
    .option(
      '--detailed-exitcode',
      'exit with 10 when the plan differs from the previous one, else from the one in force',
    )
    .option('-o, --output <file>', 'where the plan goes (default: .evicpress/plan.ndjson)')
    .addHelpText('after', EXAMPLES)
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as PlanFlags));
}

const EXAMPLES = `
Examples:
  evicpress plan --trace requests.jsonl --tiers h100-host --model llama-3.1-8b --capacity dram=80GB
  evicpress plan --contexts contexts.ndjson --alpha 2 --min-quality 0.9 -o plan.ndjson`;

async function run(flags: PlanFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const { source, inputs, request: asked, engine, offer } = await readRequest(flags);
  const { config, tiers, model } = inputs;
  const previous = flags.previous === undefined ? undefined : await readPlan(flags.previous);
  const request = {
    ...asked,
    solver: flags.solver ?? config.solver ?? 'dual',
    target: targetOf(flags, config.meanQuality),
    ...(previous === undefined ? {} : { previous: previous.header, previousRows: previous.rows }),
    ...(flags.migrationCost === undefined
      ? {}
      : {
          migrationSecondsPerGb: parseNumber(flags.migrationCost, '--migration-cost', RANGES.migrationCost),
        }),
    inputs: [...inputs.files, ...(await fingerprints([source.path]))],
  };
  const planned = await planContexts(offeredRequest(request, offer));
  const { problem, solution, solveSeconds } = planned;
  const classes = learnClassRules(problem, solution.choices);
  const header = {
    ...planned.header,
    demands: demandsOf(asked),
    ...(engine === undefined ? {} : { engine }),
    rules: { ...planned.header.rules, classes },
  };
  const rows = await withEngineKeys(planned.rows, source, request.demand, flags, model.name);
  const before = await planBefore(previous, flags.previous);
  const output = flags.output ?? join(RESULTS_FOLDER, 'plan.ndjson');
  const groups = new PlacementGroups();
  await writePlan(output, header, groups.counting(rows()));
  const difference = before === undefined ? undefined : rowDifference(before.plan.rows, rows());
  for (const warning of inputs.warnings) terminal.warn(warning);
  const otherModel = otherModelSentence(before?.plan.header.model ?? null, model.name);
  if (otherModel !== undefined) terminal.warn(otherModel);
  if (output !== '-') {
    const isEmpty = header.summary.contexts === 0;
    if (!isEmpty) terminal.table(...planTable(header, groups));
    terminal.say(planSummaryText(header, solveSeconds, output));
    if (difference !== undefined) terminal.say(differenceText(before!.name, difference));
    if (!isEmpty)
      terminal.say(
        engine === undefined
          ? enginesText(header, groups, tiers)
          : costOfEngine(engine, planned, await planContexts(request)),
      );
    terminal.next(...nextStep(source, flags));
  }
  terminal.result({
    ...header,
    summary: { ...header.summary, solveSeconds, evaluations: solution.evaluations },
    output,
    ...(difference === undefined ? {} : { difference }),
  });
  judge(flags, header);
  if (flags.detailedExitcode === true && isChanged(model.name, rows(), before?.plan))
    process.exitCode = CHANGED;
}

/** The plan that a new one would replace: the one named, else the one that engines follow now. */
async function planBefore(named: Plan | undefined, path: string | undefined) {
  const plan = named ?? (await planInForce(PUBLISH_FOLDER));
  if (plan === undefined) return undefined;
  return { plan, name: path ?? `the plan in force (generation ${plan.header.generation})` };
}

function differenceText(name: string, { kept, changes }: PlanDifference): string {
  const changed = changes.reduce((sum, { contexts }) => sum + contexts, 0);
  const written = changes.reduce((sum, { change, bytes }) => sum + (change === 'drop' ? 0 : bytes), 0);
  return changed === 0
    ? `Beside ${name}: nothing moves.`
    : `Beside ${name}: ${formatCounted(changed, 'context')} ${changed === 1 ? 'moves, changes its form or goes' : 'move, change their form or go'}, ${formatBytes(written)} are written, ${formatCount(kept)} ${kept === 1 ? 'stays' : 'stay'}.`;
}

/** What shows the plan's worth: a replay of its log; without a log, the page. */
function nextStep(source: DemandSource, flags: PlanFlags): [command: string, why: string] {
  // A log that came through a pipe is gone.
  if (source.kind === 'contexts' || flags.trace === '-')
    return ['evicpress report', 'the same with charts, every context explained'];
  const log = flags.trace === undefined ? '' : ` ${shellWord(flags.trace)}`;
  return [`evicpress replay${log}${sameInputs(flags)}`, 'what it is worth on this log'];
}

/** Whether the model or any context's place is another than in the plan before; a first plan is a change. */
function isChanged(model: string, rows: Iterable<Placement>, previous: Plan | undefined): boolean {
  if (previous === undefined || (previous.header.model ?? model) !== model) return true;
  const before = new Map(previous.rows.map((row) => [row.context, row]));
  for (const row of rows) {
    const old = before.get(row.context);
    if (old?.tier !== row.tier || !isSameForm(old, row)) return true;
    before.delete(row.context);
  }
  return before.size > 0;
}

function isSameForm(a: Placement, b: Placement): boolean {
  return (
    a.method === b.method && a.compressionRatio === b.compressionRatio && a.storedBytes === b.storedBytes
  );
}

/** What alpha is solved for; an alpha on the command line wins over a target in evicpress.yaml. */
function targetOf(flags: PlanFlags, configured?: string): Target {
  expectOneObjective(flags);
  const { alpha, meanQuality, maxMeanTtft } = flags;
  const quality = meanQuality ?? (alpha === undefined && maxMeanTtft === undefined ? configured : undefined);
  return {
    ...(quality === undefined
      ? {}
      : { meanQuality: parseNumber(quality, '--mean-quality', RANGES.meanQuality) }),
    ...(maxMeanTtft === undefined
      ? {}
      : { maxMeanTtftSeconds: naming('--max-mean-ttft', () => parseSeconds(maxMeanTtft)) }),
  };
}

function judge({ maxGap }: PlanFlags, header: PlanHeader): void {
  if (maxGap === undefined) return;
  const limit = parseNumber(maxGap, '--max-gap', RANGES.maxGap);
  const { gapOfSpan } = header.summary;
  if (gapOfSpan > limit) {
    throw new EvicpressError(
      `The plan's gap of span is ${gapOfSpan.toExponential(2)}, more than --max-gap ${limit}. Try --solver exact, or accept a larger gap.`,
      3,
    );
  }
}

import { join } from 'node:path';
import type { Command } from 'commander';
import { EvicpressError, nearestName, printable } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { type Placement, scanPlan } from '../formats/plan.js';
import { explainChoice } from '../plan/explanation.js';
import { choiceInForce } from '../plan/in-force.js';
import { pricesOf } from '../plan/plan-contexts.js';
import { explainSentence, flipLines, optionsTable } from '../report/explain-text.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { addProblemOptions, type ProblemFlags, readProblem } from './problem-inputs.js';

interface ExplainFlags extends ProblemFlags, TerminalFlags {
  readonly plan?: string;
}

/** Options shown. */
const TOP = 6;
/** Ids looked through for a suggestion. */
const NEAR = 200_000;

/** `evicpress explain`: why a context is where it is, and what would change that. */
export default function explain(command: Command): void {
  addProblemOptions(command)
    .argument('<context>', 'id of the context')
    .option('--plan <plan>', 'the plan (default: .evicpress/plan.ndjson)')
    .addHelpText(
      'after',
      `
The inputs, alpha, capacities and demands are those of the plan where no flag says otherwise.

Examples:
  evicpress explain doc-17
  evicpress explain doc-17 --plan plan.ndjson --contexts contexts.ndjson --model llama-3.1-8b`,
    )
    .action(async (context: string, _, cmd: Command) => run(context, cmd.optsWithGlobals() as ExplainFlags));
}

async function run(context: string, flags: ExplainFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const path = flags.plan ?? join(RESULTS_FOLDER, 'plan.ndjson');
  const ids: string[] = [];
  let found: Placement | undefined;
  const { header } = await scanPlan(path, (row) => {
    if (row.context === context) found = row;
    else if (ids.length < NEAR) ids.push(row.context);
  });
  if (found === undefined) throw unknownContext(context, path, ids);
  const { problem, inputs } = await readProblem(flags, header);
  for (const warning of inputs.warnings) terminal.warn(warning);
  const { model } = inputs;
  if (header.model !== null && header.model !== model.name)
    terminal.warn(
      `The plan is for model ${printable(header.model)}, the sums below are for ${model.name}: leave --model out, or make a plan for that model.`,
    );
  const i = problem.demand.ids.indexOf(context);
  if (i < 0)
    throw new EvicpressError(
      `Context "${printable(context)}" is in ${path} but not in the demand given. Name the log or contexts the plan was made from.`,
    );
  const priceOf = (name: string) => header.tiers.find((tier) => tier.name === name)?.price ?? 0;
  const choice = choiceInForce(problem, i, found);
  const explanation = explainChoice(problem, i, choice, pricesOf(header, problem));
  const { options, chosen, rival, flips } = explanation;
  const shown = options.filter((option, k) => k < TOP || option.chosen);
  terminal.table(...optionsTable(shown));
  if (rival !== undefined) {
    const now = {
      accesses: problem.demand.accesses[i]!,
      chosenQuality: chosen.quality,
      priceOf,
      capacityOf: (name: string) => problem.tiers.find((tier) => tier.name === name)!.capacityBytes,
    };
    const lines = flipLines(chosen, rival, flips, now);
    if (lines.length > 0) terminal.say(`\n${lines.join('\n')}`);
  }
  if (problem.hasParents)
    terminal.say(
      'Part of a prefix tree: what hangs below it also counts in the plan, but not in these sums.',
    );
  terminal.conclude(explainSentence(printable(context, 80), chosen, rival));
  terminal.result({ context, alpha: problem.alpha, accesses: problem.demand.accesses[i]!, ...explanation });
}

function unknownContext(context: string, path: string, ids: readonly string[]): EvicpressError {
  if (ids.length === 0)
    return new EvicpressError(`${path} places no context at all: there is nothing to explain.`);
  const near = nearestName(
    context,
    ids.filter((id) => Math.abs(id.length - context.length) <= Math.max(2, context.length / 3)),
  );
  const shown =
    near === undefined
      ? ids
          .slice(0, 3)
          .map((id) => printable(id, 60))
          .join(', ')
      : undefined;
  const remedy =
    near === undefined ? `It has, for example: ${shown}.` : `Did you mean ${printable(near, 60)}?`;
  return new EvicpressError(`${path} places no context "${printable(context)}". ${remedy}`);
}

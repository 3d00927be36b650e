import { createInterface } from 'node:readline/promises';
import { EvicpressError, errors, printable } from '../errors.js';
import { isModelFile, loadModel } from '../formats/bundled.js';
import { CONFIG_NAME, readConfig } from '../formats/config.js';
import { changesTable, otherModelSentence } from '../report/diff-text.js';
import type { Terminal } from '../report/terminal.js';
import { formatCount, formatCounted } from '../units.js';
import type { Change } from '../workflows/generations.js';
import type { PlanDifference } from '../workflows/plan-difference.js';
import { endWhenInterrupted } from './interrupted.js';

/** Shows a change, asks where that is not agreed to beforehand, and makes it. @throws EvicpressError where nobody can be asked or the answer is no. */
export async function confirmAndCarryOut(
  change: Change,
  flags: { readonly yes?: boolean; readonly dryRun?: boolean },
  terminal: Terminal,
): Promise<void> {
  endWhenInterrupted();
  for (const repair of change.repairs) terminal.warn(repair);
  const { difference } = change;
  for (const warning of await modelWarnings(change)) terminal.warn(warning);
  const carriedOut = flags.dryRun !== true;
  // Agreed to beforehand it is done before anything is shown: a reader of the table who goes away must not stop it.
  const isAgreed = carriedOut && flags.yes === true;
  if (isAgreed) await change.carryOut();
  if (difference.changes.length > 0) terminal.table(...changesTable(difference.changes));
  terminal.say(summaryOf(change, difference));
  if (carriedOut) {
    if (!isAgreed) {
      await ask(change);
      await change.carryOut();
    }
    terminal.say(`Generation ${change.generation} is in force: ${change.inForcePath}`);
    terminal.next('evicpress refresh --print-cron', 'keep it current; evicpress rollback goes back');
  }
  const { carryOut: _, ...facts } = change;
  terminal.result({ ...facts, carriedOut });
}

function summaryOf({ generation, inForce }: Change, { kept, changes }: PlanDifference): string {
  const changed = changes.reduce((sum, entry) => sum + entry.contexts, 0);
  const before = inForce === undefined ? 'No plan is in force.' : `Generation ${inForce} is in force.`;
  return `${before} Generation ${generation} changes ${formatCounted(changed, 'context')} and leaves ${formatCount(kept)} where ${kept === 1 ? 'it is' : 'they are'}.`;
}

/** Where the plan is of another model than the one in force, or than evicpress.yaml names. */
async function modelWarnings({ models }: Change): Promise<string[]> {
  const served = await configuredModel();
  const before = otherModelSentence(models.inForce, models.plan);
  return [
    ...(before === undefined ? [] : [before]),
    ...(models.plan === null || served === undefined || served === models.plan
      ? []
      : [
          `The plan is for model ${printable(models.plan)}, ${CONFIG_NAME} names ${printable(served)}: make a plan for that model, or mend the name, before an engine follows this one.`,
        ]),
  ];
}

/** The name of the model in evicpress.yaml. A file of it that cannot be read is no reason not to go back to a plan. */
async function configuredModel(): Promise<string | undefined> {
  const { model } = await readConfig('.');
  if (model === undefined || !isModelFile(model)) return model;
  return loadModel(model).then(
    ({ name }) => name,
    () => undefined,
  );
}

/** Ctrl-C and Ctrl-D in place of an answer are none; the line they were typed in is ended. */
function unanswered(error: Error): string {
  if (error.name !== 'AbortError') throw error;
  process.stderr.write('\n');
  return '';
}

async function ask({ generation }: Change): Promise<void> {
  if (!process.stdin.isTTY)
    throw new EvicpressError(
      'Nobody can be asked here. Pass --yes to carry this out, or --dry-run to look only.',
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal
      .question(`Put generation ${generation} in force? [y/N] `)
      .catch((error: Error) => unanswered(error));
    if (!/^y(es)?$/i.test(answer.trim())) throw errors.interrupted('Nothing was changed.');
  } finally {
    terminal.close();
  }
}

import { createInterface } from 'node:readline/promises';
import { EvicpressError, errors } from '../errors.js';
import type { Terminal } from '../report/terminal.js';
import { formatBytes, formatCount } from '../units.js';
import type { Change } from '../workflows/generations.js';
import type { PlanDifference } from '../workflows/plan-difference.js';

const SIGNS = { add: '+', move: '~', recompress: '~', 'make-whole': '~', drop: '-' } as const;
const WORDS = {
  add: 'store',
  move: 'move',
  recompress: 'compress',
  'make-whole': 'prefill anew',
  drop: 'drop',
} as const;

/** Shows a change, asks, and makes it. @throws EvicpressError where nobody can be asked or the answer is no. */
export async function confirmAndCarryOut(
  change: Change,
  flags: { readonly yes?: boolean; readonly dryRun?: boolean },
  terminal: Terminal,
): Promise<void> {
  for (const repair of change.repairs) terminal.warn(repair);
  const { difference } = change;
  if (difference.changes.length > 0) {
    terminal.table(
      ['change', 'from', 'to', 'contexts', 'bytes'],
      difference.changes.map(({ change: kind, from, to, contexts, bytes }) => [
        `${SIGNS[kind]} ${WORDS[kind]}`,
        from,
        to,
        formatCount(contexts),
        formatBytes(bytes),
      ]),
    );
  }
  terminal.say(summaryOf(change, difference));
  const carriedOut = flags.dryRun !== true;
  if (carriedOut) {
    if (flags.yes !== true) await ask(change);
    await change.carryOut();
    terminal.say(`Generation ${change.generation} is in force: ${change.inForcePath}`);
    terminal.next('evicpress refresh --print-cron', 'keep it current; evicpress rollback goes back');
  }
  const { carryOut: _, ...facts } = change;
  terminal.result({ ...facts, carriedOut });
}

function summaryOf({ generation, inForce }: Change, { kept, changes }: PlanDifference): string {
  const changed = changes.reduce((sum, entry) => sum + entry.contexts, 0);
  const before = inForce === undefined ? 'No plan is in force.' : `Generation ${inForce} is in force.`;
  return `${before} Generation ${generation} changes ${formatCount(changed)} contexts and leaves ${formatCount(kept)} where they are.`;
}

async function ask({ generation }: Change): Promise<void> {
  if (!process.stdin.isTTY)
    throw new EvicpressError(
      'Nobody can be asked here. Pass --yes to carry this out, or --dry-run to look only.',
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Put generation ${generation} in force? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw errors.interrupted('Nothing was changed.');
  } finally {
    terminal.close();
  }
}

import type { Command } from 'commander';
import { printable } from '../errors.js';
import { RECOMPUTE } from '../formats/names.js';
import { scanPlan } from '../formats/plan.js';
import { paint } from '../report/colour.js';
import {
  CHANGE_SIGNS,
  type ContextChange,
  changeLine,
  changesTable,
  differenceSentence,
  otherModelSentence,
  pairsTable,
  promiseSentence,
  type TierPair,
} from '../report/diff-text.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { shellWord } from '../shell-word.js';
import { ChangeTally, type Placed, placeOf } from '../workflows/plan-difference.js';

interface DiffFlags extends TerminalFlags {
  readonly all?: boolean;
  readonly detailedExitcode?: boolean;
}

const COLOURS = { '+': 'good', '~': 'notice', '-': 'bad' } as const;

/** Changes shown where not all are asked for: a screenful. */
const SHOWN = 20;
/** The exit code of a difference, with --detailed-exitcode. */
const DIFFERENT = 10;

/** `evicpress diff`: what a new plan adds, moves, recompresses and drops. */
export default function diff(command: Command): void {
  command
    .argument('<old>', 'the plan that is')
    .argument('<new>', 'the plan that is to be')
    .option('--all', `a line for every changed context, not only the ${SHOWN} largest`)
    .option('--detailed-exitcode', 'exit with 10 when the plans differ')
    .addHelpText(
      'after',
      `
Examples:
  evicpress diff yesterday.ndjson today.ndjson
  evicpress diff old.ndjson new.ndjson --all | grep '^-'`,
    )
    .action(async (before: string, after: string, _, cmd: Command) =>
      run(before, after, cmd.optsWithGlobals() as DiffFlags),
    );
}

async function run(before: string, after: string, flags: DiffFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const found = await compare(before, after, flags.all === true ? Number.POSITIVE_INFINITY : SHOWN);
  const { changes, kept, pairs, largest, changed, models } = found;
  const otherModel = otherModelSentence(models.old, models.new);
  if (otherModel !== undefined) terminal.warn(otherModel);
  if (changes.length > 0) {
    terminal.table(...changesTable(changes));
    if (pairs.length > 0) {
      terminal.say('');
      terminal.table(...pairsTable(pairs));
    }
    terminal.say(
      `\n${largest.length < changed ? `The ${SHOWN} largest of ${changed} changes (--all for every one):` : 'Every change:'}`,
    );
    for (const change of largest)
      terminal.say(
        paint(
          COLOURS[CHANGE_SIGNS[change.change]],
          changeLine({
            ...change,
            context: printable(change.context, 80),
            from: printable(change.from),
            to: printable(change.to),
          }),
        ),
      );
  }
  const promise = promiseSentence(found.summaries.old, found.summaries.new);
  terminal.conclude(`${differenceSentence(changes, kept)}${changed > 0 ? ` ${promise}` : ''}`);
  if (changed > 0)
    terminal.next(`evicpress apply ${shellWord(after)}`, 'put the new plan in force; shows this first');
  terminal.result({ old: before, new: after, ...found });
  if (flags.detailedExitcode === true && (changed > 0 || models.old !== models.new))
    process.exitCode = DIFFERENT;
}

/** Reads both plans row by row; of the old one only what is compared is kept. @throws EvicpressError */
async function compare(before: string, after: string, limit: number) {
  const old = new Map<string, Placed>();
  const { header: oldHeader } = await scanPlan(
    before,
    ({ context, tier, method, compressionRatio, storedBytes }) =>
      old.set(context, { tier, method, compressionRatio, storedBytes }),
  );
  const tally = new ChangeTally();
  const pairs = new Map<string, { from: string; to: string; contexts: number; bytes: number }>();
  const largest = new Largest(limit);
  let changed = 0;
  const note = (context: string, was: Placed | undefined, is: Placed | undefined) => {
    const change = tally.note(was, is);
    if (change === undefined) return;
    changed++;
    const bytes = (change === 'drop' ? was! : is!).storedBytes;
    largest.add({ change, context, from: placeOf(was), to: placeOf(is), bytes });
    if (change === 'drop' || change === 'add' || was!.tier === is!.tier) return;
    const key = JSON.stringify([was!.tier, is!.tier]);
    const pair = pairs.get(key) ?? { from: was!.tier, to: is!.tier, contexts: 0, bytes: 0 };
    pair.contexts++;
    pair.bytes += bytes;
    pairs.set(key, pair);
  };
  const { header: newHeader } = await scanPlan(after, (row) => {
    note(row.context, old.get(row.context), row);
    old.delete(row.context);
  });
  for (const [context, was] of old) if (was.tier !== RECOMPUTE) note(context, was, undefined);
  const sortedPairs: TierPair[] = [...pairs.values()].sort((a, b) => b.bytes - a.bytes);
  const summaries = { old: oldHeader.summary, new: newHeader.summary };
  const models = { old: oldHeader.model, new: newHeader.model };
  return { ...tally.difference(), changed, pairs: sortedPairs, largest: largest.sorted(), summaries, models };
}

/** Keeps the changes of the most bytes; thinned out when it has grown to twice its limit. */
class Largest {
  private changes: ContextChange[] = [];

  constructor(private readonly limit: number) {}

  add(change: ContextChange): void {
    this.changes.push(change);
    if (this.changes.length > 2 * this.limit + 64) this.changes = this.sorted();
  }

  sorted(): ContextChange[] {
    return [...this.changes]
      .sort((a, b) => b.bytes - a.bytes || (a.context < b.context ? -1 : 1))
      .slice(0, this.limit);
  }
}

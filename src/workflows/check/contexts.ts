import { printable } from '../../errors.js';
import { type ContextRow, parentFaults, purposeFault } from '../../formats/contexts.js';
import { UNCOMPRESSED } from '../../formats/names.js';
import type { Faults } from './faults.js';
import type { Surroundings } from './surroundings.js';

/** Ratios nearer than this are the same, as in a plan. */
const SAME_RATIO = 0.01;

/**
 * Adds what a plan would refuse of contexts whose rows are sound one by one: no size or no accesses, parents that are
 * not there or form a circle, pins to tiers and methods that the profiles do not have.
 * @param rows with `text` cut to nothing.
 * @param lineOf the line of every context.
 */
export function checkContexts(
  rows: readonly ContextRow[],
  lineOf: ReadonlyMap<string, number>,
  surroundings: Surroundings,
  faults: Faults,
): void {
  const isForPlanning = rows.every((row) => row.accesses !== undefined || row.text === undefined);
  for (const row of rows) {
    const line = lineOf.get(row.context);
    const lack = purposeFault(row, isForPlanning ? 'planning' : 'profiling');
    if (lack !== undefined) faults.add(lack, line);
    for (const what of pinFaults(row, surroundings)) faults.add(what, line);
  }
  if (isForPlanning) for (const { line, what } of parentFaults(rows, lineOf)) faults.add(what, line);
}

function* pinFaults({ context, pin }: ContextRow, { tiers, methods }: Surroundings): Generator<string> {
  if (pin === undefined) return;
  const name = `context "${printable(context)}" is pinned to`;
  if (tiers !== undefined && pin.tier !== 'recompute' && !tiers.names.includes(pin.tier))
    yield `${name} tier "${printable(pin.tier)}", which is not in ${printable(tiers.path)}. Tiers: ${tiers.names.join(', ')}.`;
  if (methods === undefined || pin.method === undefined || pin.method === UNCOMPRESSED) return;
  const ratios = [...(methods.ratios.get(pin.method) ?? [])];
  const { compressionRatio: ratio } = pin;
  const isProfiled = ratios.some((each) => ratio === undefined || Math.abs(each - ratio) < SAME_RATIO);
  if (!isProfiled)
    yield `${name} method "${printable(pin.method)}"${ratio === undefined ? '' : ` at ratio ${ratio}`}, for which ${printable(methods.path)} has no row. Profile it, or change the pin.`;
}

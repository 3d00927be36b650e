import { join } from 'node:path';
import { EvicpressError } from '../../errors.js';
import { type MethodRow, readMethods, writeMethods } from '../../formats/methods.js';
import { ANY_CONTEXT } from '../../formats/names.js';
import { significant } from '../../units.js';
import type { DriftFinding } from './drift/check.js';
import { methodName, sameMethod } from './drift/quality.js';
import type { MethodPoint, TurnInputs, TurnOptions, TurnTools } from './options.js';
import { PRIVATE_FILE } from './private-files.js';

/** The same point is not measured again sooner than this where tiers are never probed. */
const AGAIN_AFTER_SECONDS = 6 * 3600;

/**
 * The rows that earlier turns measured anew, for as long as the profile is the file that had drifted; none where
 * the file is gone or damaged.
 */
export async function readReprofiled(folder: string, inputs: TurnInputs): Promise<readonly MethodRow[]> {
  try {
    const { header, rows } = await readMethods(reprofiledPath(folder));
    return header.profile === methodsIdentity(inputs) ? rows : [];
  } catch (error) {
    if (error instanceof EvicpressError) return [];
    throw error;
  }
}

/** A profile with rows measured anew in place of its own: of the same context, class, method and ratio. */
export function withReprofiled(rows: readonly MethodRow[], anew: readonly MethodRow[]): readonly MethodRow[] {
  if (anew.length === 0) return rows;
  const replaced = new Set(anew.map(keyOf));
  return [...rows.filter((row) => !replaced.has(keyOf(row))), ...anew];
}

/**
 * Profiles anew the methods whose answers are worse online than profiled, as far as the time allows, and keeps
 * what was measured.
 * @returns all rows measured anew so far.
 */
export async function reprofile(
  findings: readonly DriftFinding[],
  contexts: readonly string[],
  known: readonly MethodRow[],
  inputs: TurnInputs,
  seconds: number,
  options: TurnOptions,
  tools: TurnTools,
): Promise<readonly MethodRow[]> {
  const points = findings.flatMap(({ check, corrected }) =>
    check === 'quality' && corrected !== undefined && isDue(corrected, known, options, tools.now())
      ? [{ method: corrected.method, compressionRatio: corrected.compressionRatio }]
      : [],
  );
  if (points.length === 0 || tools.profileMethods === undefined) return known;
  const measuredAt = tools.now().toISOString();
  let measured: readonly MethodRow[];
  try {
    measured = await tools.profileMethods(points, contexts, inputs.methods, seconds);
  } catch (error) {
    if (!(error instanceof EvicpressError) || error.exitCode === 130) throw error;
    tools.tell('warn', `${points.map(methodName).join(', ')} could not be profiled anew: ${error.message}`);
    return known;
  }
  const rows = withReprofiled(
    known,
    measured.map((row) => ({ ...row, measuredAt })),
  );
  await writeMethods(
    reprofiledPath(options.folder),
    { source: 'measured', profile: methodsIdentity(inputs), measuredAt },
    rows,
    PRIVATE_FILE,
  );
  for (const point of points) tools.tell('info', outcomeOf(point, inputs.methods, measured));
  return rows;
}

function isDue(point: MethodPoint, known: readonly MethodRow[], options: TurnOptions, now: Date): boolean {
  const last = known.findLast((row) => sameMethod(row, point))?.measuredAt;
  if (typeof last !== 'string') return true;
  const elapsed = (now.getTime() - Date.parse(last)) / 1000;
  return !(elapsed >= 0 && elapsed < (options.probeEverySeconds ?? AGAIN_AFTER_SECONDS));
}

function outcomeOf(point: MethodPoint, before: readonly MethodRow[], after: readonly MethodRow[]): string {
  const rows = after.filter((row) => sameMethod(row, point) && row.context !== ANY_CONTEXT);
  if (rows.length === 0) return `${methodName(point)}: the budget was too short to profile it anew`;
  const names = new Set(rows.map((row) => row.context));
  const old = before.filter((row) => sameMethod(row, point) && names.has(row.context));
  const mean = (list: readonly MethodRow[]) =>
    significant(list.reduce((sum, row) => sum + row.quality, 0) / list.length);
  const compared = old.length === 0 ? '' : `, ${mean(old)} before`;
  return `${methodName(point)} was profiled anew on ${names.size} contexts: quality ${mean(rows)}${compared}`;
}

/** The method profile's own identity: what is measured anew is a correction of this profile and no other. */
function methodsIdentity({ files }: TurnInputs): string {
  return files[1]?.sha256 ?? '';
}

function keyOf({ context, class: name, method, compressionRatio }: MethodRow): string {
  return JSON.stringify([context, context === ANY_CONTEXT ? name : undefined, method, compressionRatio]);
}

/** Where rows measured anew are kept; a method profile like any other. */
export function reprofiledPath(folder: string): string {
  return join(folder, 'reprofiled.ndjson');
}

import { join } from 'node:path';
import type { Command } from 'commander';
import { EvicpressError, errors, naming, printable } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { jsonText, writeWhole } from '../formats/files.js';
import { COUNTS } from '../formats/option-values.js';
import { formatHeader } from '../formats/schema.js';
import type { SizePoint } from '../formats/size.js';
import type { Tier } from '../formats/tiers.js';
import { planMeans } from '../plan/make-plan.js';
import type { Problem } from '../plan/problem.js';
import { fixedRule, kneeOf, leastSize, logSpaced } from '../plan/sizing.js';
import { dual } from '../plan/solvers/dual.js';
import { type SizedPlan, Sweep } from '../plan/sweep.js';
import { solveForTarget } from '../plan/targets.js';
import {
  type Knee,
  type ParetoPoint,
  paretoChart,
  paretoTable,
  sizeSentence,
  sizeTable,
} from '../report/size-text.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { formatBytes, lacksUnit, parseBytes, parseCount, parseNumber } from '../units.js';
import { ranksOf } from './inputs.js';
import { collect } from './options.js';
import { addProblemOptions, type ProblemFlags, readProblem } from './problem-inputs.js';
import { answerSentence, fulfilled, reached, wishesOf } from './size-wishes.js';

interface SizeFlags extends ProblemFlags, TerminalFlags {
  readonly vary?: readonly string[];
  readonly points?: string;
  readonly for?: string;
  readonly alphas?: string;
  readonly output?: string;
}

/** Points of a sweep where nobody says: by tier for one, for two each. */
const POINTS = { one: 20, two: 7 };

/** `evicpress size`: what capacity gives, and how much is needed. */
export default function size(command: Command): void {
  addProblemOptions(command)
    .option('--vary <tier=from..to>', 'capacities to try, e.g. dram=10GB..1TB; twice for a grid', collect)
    .option(
      '--points <n>',
      `sizes per tier, at equal ratios (default: ${POINTS.one}, in a grid ${POINTS.two})`,
    )
    .option('--for <wishes>', 'the least size that gives this, e.g. "ttft<=0.3,quality>=0.95"')
    .option('--alphas <list>', 'the front of TTFT and quality over these alphas, beside fixed rules')
    .option('-o, --output <file>', 'where the result goes (default: .evicpress/size.json)')
    .addHelpText(
      'after',
      `
Wishes: ttft (seconds, or 300ms), quality, hit (share from 0 to 1), money (per month), with <= or >=.

Examples:
  evicpress size --trace requests.jsonl --tiers h100-host --model llama-3.1-8b --vary dram=10GB..1TB
  evicpress size --contexts contexts.ndjson --vary dram=10GB..1TB --for "ttft<=0.3,quality>=0.95"`,
    )
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as SizeFlags));
}

interface Varied {
  readonly tier: string;
  readonly low: number;
  readonly high: number;
}

async function run(flags: SizeFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const given = (flags.vary ?? []).map(variedOf);
  if (given.length > 2)
    throw new EvicpressError(
      '--vary is given more than twice. A table has two sides: vary one or two tiers.',
    );
  if (given.length === 2 && given[0]!.tier === given[1]!.tier)
    throw new EvicpressError(`--vary names tier ${given[0]!.tier} twice. Vary another tier, or one only.`);
  if (flags.for !== undefined && given.length > 1)
    throw new EvicpressError(
      '--for finds the size of one tier. Give one --vary, and set the others with --capacity.',
    );
  // A varied tier must be on offer whatever its profile says: its largest size stands in while options are built.
  const standIns = Object.fromEntries(given.map(({ tier, high }) => [tier, high]));
  const { problem: read, inputs } = await readProblem({ ...flags, varied: standIns });
  const target = targetOf(flags, inputs.config.meanQuality);
  const { problem } = target === undefined ? { problem: read } : await solveForTarget(read, target, dual);
  for (const warning of [...inputs.warnings, ...(flags.vary ?? []).flatMap(unitWarning)])
    terminal.warn(warning);
  const ranks = inputs.tiers.map((tier) => ranksOf(tier, inputs.model));
  const varied = given.length > 0 ? given : [defaultRange(problem, ranks)];
  const names = varied.map(({ tier }) => tier);
  const base = problem.tiers.map((tier) => tier.capacityBytes);
  const setup: Setup = { problem, tiers: inputs.tiers, ranks, base, varied };
  const points = sweep(setup, flags, (done, total) => terminal.progress({ stage: 'size', done, total }));
  const knee = kneePoint(points);
  const pareto = flags.alphas === undefined ? undefined : await paretoOf(problem, flags.alphas);
  const answer = flags.for === undefined ? undefined : smallest(setup, flags.for);
  const shown = points.map(({ point }) => point);
  const result = {
    ...formatHeader('size'),
    alpha: problem.alpha,
    ...target,
    points: shown,
    knee: knee === undefined ? null : { capacities: knee.point.capacities, rule: KNEE_RULE },
    ...(pareto === undefined ? {} : { pareto }),
    ...(answer === undefined ? {} : { answer: { for: flags.for, ...answer } }),
  };
  const output = flags.output ?? join(RESULTS_FOLDER, 'size.json');
  await writeWhole(output, jsonText(result));
  terminal.finish();
  if (output !== '-') {
    terminal.table(...sizeTable(shown, names, knee?.point));
    terminal.conclude(sizeSentence(shown, names, knee));
    if (pareto !== undefined) {
      const sizes = problem.tiers.map((tier) => `${tier.name} ${formatBytes(tier.capacityBytes)}`);
      terminal.say(`\nAlphas and fixed rules at ${sizes.join(', ')}:`);
      terminal.table(...paretoTable(pareto));
      terminal.say(`\n${paretoChart(pareto)}\n`);
    }
    if (answer !== undefined) terminal.conclude(answerSentence(flags.for!, names[0]!, answer));
    const because =
      target === undefined ? '' : `, which gives mean quality ${target.meanQuality} at the largest sizes`;
    terminal.say(
      `Predicted by the planner from the profiles given, at alpha ${Number(problem.alpha.toPrecision(4))}${because}. Written to ${output}.`,
    );
    terminal.next('evicpress report', 'the curve, to show around');
  }
  terminal.result({ ...result, output });
}

/**
 * The mean quality that evicpress.yaml asks for instead of an alpha. All sizes are compared at one worth of quality:
 * the alpha that reaches it at the largest of them.
 */
function targetOf({ alpha }: SizeFlags, configured?: string): { readonly meanQuality: number } | undefined {
  if (alpha !== undefined || configured === undefined) return undefined;
  return { meanQuality: parseNumber(configured, 'meanQuality', { min: 0, max: 1 }) };
}

const KNEE_RULE =
  'the point farthest above the straight line from the cheapest to the dearest point, of utility over money where prices are known, else over bytes';

interface Setup {
  readonly problem: Problem;
  /** Capacities over all ranks. */
  readonly tiers: readonly Tier[];
  /** By tier: the sizes that are varied are of one of so many ranks, as `--capacity` is. */
  readonly ranks: readonly number[];
  readonly base: readonly number[];
  readonly varied: readonly Varied[];
}

interface Solved {
  readonly point: SizePoint;
  readonly utility: number;
}

/** TIER=FROM..TO. */
const RANGE = /^([^=]+)=(.+?)\.\.(.+)$/;

function variedOf(text: string): Varied {
  const match = RANGE.exec(text);
  if (match === null)
    throw new EvicpressError(
      `--vary: "${printable(text)}" is not TIER=FROM..TO. Write it like dram=10GB..1TB.`,
    );
  const [low, high] = [match[2]!, match[3]!].map((size) => naming('--vary', () => parseBytes(size))) as [
    number,
    number,
  ];
  if (!(low > 0) || !(high >= low) || !Number.isFinite(high))
    throw new EvicpressError(
      `--vary: "${printable(text)}" is not a range of sizes above 0, smaller first. Write it like dram=10GB..1TB.`,
    );
  return { tier: match[1]!, low, high };
}

/** Sizes of a few bytes are said to be just that, as capacities are. */
function unitWarning(text: string): string[] {
  const [, tier, low, high] = RANGE.exec(text)!;
  if (!lacksUnit(low!) && !lacksUnit(high!)) return [];
  const said = (size: string) => (lacksUnit(size) ? `${size} bytes` : size);
  const withUnit = (size: string) => (lacksUnit(size) ? `${size}GB` : size);
  return [
    `${tier} is varied from ${said(low!)} to ${said(high!)}. Write the unit, if one was meant: ${tier}=${withUnit(low!)}..${withUnit(high!)}.`,
  ];
}

/** The first finite tier, from a hundredth of all uncompressed bytes to all of them. */
function defaultRange({ tiers, demand }: Problem, ranks: readonly number[]): Varied {
  const t = tiers.findIndex(({ capacityBytes }) => Number.isFinite(capacityBytes) && capacityBytes > 0);
  if (t < 0) throw errors.missingInput('tier to vary', 'Name one with --vary, e.g. --vary dram=10GB..1TB.');
  const total = demand.fullBytes.reduce((sum, bytes) => sum + bytes, 0) / ranks[t]!;
  return { tier: tiers[t]!.name, low: Math.ceil(total / 100), high: Math.ceil(total) };
}

function sweep(setup: Setup, flags: SizeFlags, onPoint: (done: number, total: number) => void): Solved[] {
  const { varied } = setup;
  const wanted = flags.points ?? String(varied.length === 1 ? POINTS.one : POINTS.two);
  const points = parseCount(wanted, '--points', COUNTS.points);
  const sizes = varied.map(({ low, high }) => logSpaced(low, high, points));
  const grid =
    sizes.length === 1
      ? sizes[0]!.map((bytes) => [bytes])
      : sizes[0]!.flatMap((a) => sizes[1]!.map((b) => [a, b]));
  const plans = new Sweep(setup.problem).along(
    grid.map((bytes) => usableOf(setup, bytes)),
    (done) => onPoint(done, grid.length),
  );
  return grid.map((bytes, k) => solvedOf(setup, bytes, plans[k]!));
}

/** Capacities of all tiers over all ranks, where the varied ones have so many bytes. */
function fullOf({ tiers, ranks, base, varied }: Setup, bytes: readonly number[]): number[] {
  return tiers.map((tier, t) => {
    const k = varied.findIndex((entry) => entry.tier === tier.name);
    return k < 0 ? base[t]! + (tier.reservedBytes ?? 0) : bytes[k]! * ranks[t]!;
  });
}

/** The same less what the engine reserves. */
function usableOf(setup: Setup, bytes: readonly number[]): number[] {
  return fullOf(setup, bytes).map((size, t) => Math.max(0, size - (setup.tiers[t]!.reservedBytes ?? 0)));
}

function solvedOf(setup: Setup, bytes: readonly number[], plan: SizedPlan): Solved {
  const { tiers, varied } = setup;
  const money = moneyPerMonth(tiers, fullOf(setup, bytes), plan);
  const byName = (values: readonly number[]) =>
    Object.fromEntries(
      tiers.flatMap((tier, t) => (values[t] === undefined ? [] : [[tier.name, values[t]!]])),
    );
  const point = {
    capacities: Object.fromEntries(varied.map(({ tier }, k) => [tier, bytes[k]!])),
    meanTtftSeconds: plan.meanTtftSeconds,
    meanQuality: plan.meanQuality,
    hitShare: plan.hitShare,
    ...(money === undefined ? {} : { moneyPerMonth: money }),
    price: byName(plan.prices),
  };
  return { point, utility: plan.utility };
}

/** What the tiers with a known price cost: their capacity, or what is used of an unlimited one. */
function moneyPerMonth(
  tiers: readonly Tier[],
  capacities: readonly number[],
  plan: SizedPlan,
): number | undefined {
  if (tiers.every((tier) => tier.pricePerGbMonth === undefined)) return undefined;
  return tiers.reduce((sum, { pricePerGbMonth = 0 }, t) => {
    const bytes = Number.isFinite(capacities[t]!) ? capacities[t]! : plan.usedBytes[t]!;
    return sum + (pricePerGbMonth * bytes) / 1e9;
  }, 0);
}

/** Where the curve bends, and the share of the utility to be gained over the whole range that is reached there. */
function kneePoint(solved: readonly Solved[]): Knee | undefined {
  const bytes = (point: SizePoint) => Object.values(point.capacities).reduce((sum, size) => sum + size, 0);
  const costs = solved.map(({ point, utility }) => ({ cost: point.moneyPerMonth ?? bytes(point), utility }));
  const k = kneeOf(costs);
  if (k === undefined) return undefined;
  const utilities = solved.map(({ utility }) => utility);
  const gained = Math.max(...utilities) - utilities[0]!;
  return { point: solved[k]!.point, share: (utilities[k]! - utilities[0]!) / gained };
}

/** The front over alpha, and the fixed rules beside it. */
async function paretoOf(problem: Problem, list: string): Promise<ParetoPoint[]> {
  const alphas = list.split(',').map((text) => parseNumber(text, '--alphas', { min: 0 }));
  const planned: ParetoPoint[] = [];
  for (const alpha of alphas) {
    const solved = { ...problem, alpha };
    const { choices } = await dual.solve(solved);
    planned.push({ name: `alpha ${alpha}`, alpha, ...planMeans(solved, choices) });
  }
  const fixed = [-1, ...problem.forms.lossyNames.keys()].map((lossy) => {
    const form = problem.forms.lossyNames[lossy];
    return {
      name: form === undefined ? 'all uncompressed' : `all ${form.method}@${form.compressionRatio}`,
      ...planMeans(problem, fixedRule(problem, lossy)),
    };
  });
  return [...planned, ...fixed];
}

/** The least size of the varied tier that fulfils every wish. @throws EvicpressError where none in the range does. */
function smallest(setup: Setup, text: string): SizePoint {
  const wishes = wishesOf(text);
  const { tier, low, high } = setup.varied[0]!;
  const solver = new Sweep(setup.problem);
  const { found } = leastSize(
    low,
    high,
    (size) => {
      const bytes = [Math.ceil(size)];
      return solvedOf(setup, bytes, solver.at(usableOf(setup, bytes))).point;
    },
    (point) => wishes.every((wish) => fulfilled(wish, point)),
    (most) => {
      const missed = wishes.filter((wish) => !fulfilled(wish, most)).map((wish) => reached(wish, most));
      return new EvicpressError(
        `Even ${formatBytes(high)} of ${tier} do not give ${printable(text)}: ${missed.join(', ')}. Ask for less, widen --vary, or change --alpha.`,
      );
    },
  );
  return found;
}

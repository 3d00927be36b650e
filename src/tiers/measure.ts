import { errors } from '../errors.js';
import type { Tier, Transfer } from '../formats/tiers.js';
import { shuffled } from '../random.js';
import { formatBytes, formatBytesPerSecond } from '../units.js';
import { type Burst, findBurst, type TimedWaves, withoutWaves } from './burst.js';
import {
  type FittedTransfer,
  fitTransfer,
  mean,
  median,
  predictionError,
  quantile,
  type Sample,
} from './fit.js';
import { type Load, loadBetween, readLoad } from './host.js';
import type { Device, Direction, MeasureSettings, SecondOpinion, TierTarget } from './kind.js';
import { LEAST_SHARE, PASSES, type PassPlan, type Point, planPass } from './schedule.js';
import { type Evidence, judge } from './verdict.js';

/** Time for the first look at a device, whose waves are not counted: they warm it up. */
const FIRST_LOOK_SECONDS = 0.2;
/** What a device does now is taken from so many points before. */
const RECENT_POINTS = 4;
/** Samples shown in a profile have this many digits. */
const SAMPLE_DIGITS = 5;

/** What was measured in one direction, and what came of it. */
interface Measured {
  readonly direction: Direction;
  readonly fit: FittedTransfer;
  readonly samples: readonly Sample[];
  readonly evidence: Evidence;
}

/**
 * Measures an opened device: every size × streams in two spaced passes per direction, shuffled; the fit, and a
 * verdict on how far to trust it. Closes the device in any case.
 * @param openedAt performance.now() when the kind began to open it: preparation counts as measuring time.
 * @throws EvicpressError when interrupted, or where the device fails.
 */
export async function measureDevice(
  target: TierTarget,
  device: Device,
  settings: MeasureSettings,
  openedAt: number,
): Promise<Tier> {
  try {
    const spent = (performance.now() - openedAt) / 1e3;
    const left = Math.max(1, settings.seconds - spent - (device.confirm?.seconds ?? 0));
    const series = await measureSeries(target, device, settings, left);
    const measured = device.directions.map((direction) =>
      conclude(direction, series.get(direction)!, settings.earlier),
    );
    const load = loadWhileAlone([...series.values()].flat());
    const opinion = await device.confirm?.run();
    const tier = describeTier(target, device, settings, measured, load, opinion);
    return { ...tier, measuringSeconds: threeDigits((performance.now() - openedAt) / 1e3) };
  } finally {
    await device.close();
  }
}

/** A point with what was seen beside its transfers. */
interface TimedPoint extends TimedWaves {
  /** Seconds it took beside the waves: making what is to be read. */
  readonly overheadSeconds: number;
  /** How much others disturbed the machine meanwhile. */
  readonly load: Load;
}

/** The mean, not the median: behind a throttle most small transfers are fast and a few pay for all. */
function sampleOf({ bytes, streams, pass, waves }: TimedWaves): Sample {
  return { bytes, streams, pass, seconds: Number(mean(waves).toPrecision(SAMPLE_DIGITS)) };
}

/** Interquartile range of a point's waves, relative to their median. */
function spreadOf({ waves }: TimedWaves): number {
  return (quantile(waves, 0.75) - quantile(waves, 0.25)) / median(waves);
}

/** With one stream only: several would wait for processors of their own accord. */
function loadWhileAlone(samples: readonly TimedPoint[]): Load {
  const least = Math.min(...samples.map((sample) => sample.streams));
  const loads = samples.filter((sample) => sample.streams === least).map((sample) => sample.load);
  return {
    stolenShare: mean(loads.map((load) => load.stolenShare)),
    cpuPressure: mean(loads.map((load) => load.cpuPressure)),
  };
}

/** All passes: the directions take turns, which spaces the passes of each; each ends by its share of the time. */
async function measureSeries(
  target: TierTarget,
  device: Device,
  settings: MeasureSettings,
  seconds: number,
): Promise<Map<Direction, TimedPoint[]>> {
  const sizes = (settings.sizes ?? device.sizes).filter((bytes) => bytes <= device.largestWaveBytes);
  const turns = PASSES * device.directions.length;
  const startedAt = performance.now();
  const series = new Map<Direction, TimedPoint[]>(device.directions.map((direction) => [direction, []]));
  const plans = new Map<Direction, PassPlan>();
  for (let turn = 0; turn < turns; turn++) {
    const direction = device.directions[turn % device.directions.length]!;
    const pass = 1 + Math.floor(turn / device.directions.length);
    const points = series.get(direction)!;
    const endsAt = startedAt + (1e3 * seconds * (turn + 1)) / turns;
    const secondsLeft = () => Math.max(0, (endsAt - performance.now()) / 1e3);
    let plan = plans.get(direction);
    if (plan === undefined) {
      const look = await firstLook(device, direction, sizes, settings);
      plan = planPass(
        sizes,
        settings.streams,
        device.largestWaveBytes,
        secondsLeft(),
        recentRate([look]),
        look.overheadSeconds,
      );
      plans.set(direction, plan);
      points.push(look);
    }
    const order = shuffled(plan.points, settings.seed + pass);
    const least = (LEAST_SHARE * seconds) / turns / order.length;
    for (const [i, point] of order.entries()) {
      const recent = points.slice(-RECENT_POINTS);
      const expected = (point.bytes * point.streams) / recentRate(recent);
      // Late, on a busy machine: better fewer points than points of a moment.
      if (Math.max(expected, least) > secondsLeft() && !plan.essential.has(point)) continue;
      const overhead = mean(recent.map((one) => one.overheadSeconds));
      const share = Math.max(least, secondsLeft() / (order.length - i) - overhead);
      const measured = await measurePoint(device, direction, point, pass, share, settings);
      points.push(measured);
      settings.onProgress({
        stage: `${target.name} ${direction}`,
        done: turn * order.length + i + 1,
        total: turns * order.length,
        note: liveFigure(sampleOf(measured)),
      });
    }
  }
  return series;
}

/** A middle-sized transfer, to plan with. */
function firstLook(
  device: Device,
  direction: Direction,
  sizes: readonly number[],
  settings: MeasureSettings,
): Promise<TimedPoint> {
  const bytes = sizes[Math.floor((sizes.length - 1) / 2)]!;
  const streams = Math.min(...settings.streams);
  return measurePoint(device, direction, { bytes, streams }, 0, FIRST_LOOK_SECONDS, settings);
}

/** Bytes per second of all streams together; the large transfers count most. */
function recentRate(points: readonly TimedWaves[]): number {
  const bytes = points.reduce((sum, point) => sum + point.bytes * point.streams, 0);
  return bytes / points.reduce((sum, point) => sum + mean(point.waves), 0);
}

async function measurePoint(
  device: Device,
  direction: Direction,
  point: Point,
  pass: number,
  seconds: number,
  settings: MeasureSettings,
): Promise<TimedPoint> {
  checkInterrupt(settings);
  const before = readLoad(device.waitSeconds());
  const waves = await device.run({ direction, ...point, seconds });
  const after = readLoad(device.waitSeconds());
  checkInterrupt(settings);
  const total = waves.reduce((sum, wave) => sum + wave, 0);
  return {
    ...point,
    pass,
    waves,
    overheadSeconds: Math.max(0, (after.at - before.at) / 1e3 - total),
    load: loadBetween(before, after),
  };
}

function checkInterrupt(settings: MeasureSettings): void {
  if (settings.signal.aborted) throw errors.interrupted('Nothing was left behind.');
}

function liveFigure({ bytes, streams, seconds }: Sample): string {
  const objects = streams === 1 ? formatBytes(bytes) : `${streams} × ${formatBytes(bytes)}`;
  return `${formatBytesPerSecond((bytes * streams) / seconds)} (${objects})`;
}

/** The law of one direction, past any burst, and the evidence about it. */
function conclude(direction: Direction, all: readonly TimedPoint[], earlier: Tier | undefined): Measured {
  const { points, burst } = pastBursts(all);
  const samples = points.map(sampleOf);
  const fit = fitTransfer(samples);
  const foretold = earlier?.[direction];
  return {
    direction,
    fit,
    samples,
    evidence: {
      direction,
      heldOutError: fit.heldOutError,
      passError: passError(samples),
      ...(foretold === undefined ? {} : { runError: predictionError(foretold, samples) }),
      spread: median(points.map(spreadOf)),
      rSquared: fit.rSquared,
      ...(burst === undefined ? {} : { burst }),
    },
  };
}

/**
 * Drops what was measured in a burst: of each pass, since credit comes back while the other direction is measured,
 * and of all passes together. The first look belongs to the first pass, and is counted for this alone.
 */
function pastBursts(all: readonly TimedPoint[]): { points: readonly TimedPoint[]; burst: Burst | undefined } {
  const counted = all.filter((point) => point.pass > 0);
  const law = fitTransfer(counted.map(sampleOf)).transfer;
  const passes = Array.from({ length: PASSES }, (_, i) =>
    all.filter((point) => Math.max(1, point.pass) === i + 1),
  );
  let burst: Burst | undefined;
  const past = (points: readonly TimedPoint[]) => {
    const found = findBurst(points, law);
    burst ??= found;
    return found === undefined ? points : withoutWaves(points, found.waves);
  };
  const points = past(passes.flatMap(past)).filter((point) => point.pass > 0);
  const least = Math.min(...all.map((point) => point.streams));
  const sizesAlone = new Set(points.filter((point) => point.streams === least).map((point) => point.bytes));
  return { points: sizesAlone.size >= 2 ? points : counted, burst };
}

/** How far each pass is from what the other one predicts, whichever is worse. */
function passError(samples: readonly Sample[]): number {
  const passes = [1, 2].map((pass) => samples.filter((sample) => sample.pass === pass));
  if (passes.some((pass) => pass.length === 0)) return 0;
  const laws = passes.map((pass) => fitTransfer(pass).transfer);
  return Math.max(predictionError(laws[0]!, passes[1]!), predictionError(laws[1]!, passes[0]!));
}

function describeTier(
  target: TierTarget,
  device: Device,
  settings: MeasureSettings,
  measured: readonly Measured[],
  load: Load,
  opinion: SecondOpinion | undefined,
): Tier {
  const read = measured.find((one) => one.direction === 'read')!;
  const write = measured.find((one) => one.direction === 'write') ?? read;
  const given = settings.capacityBytes;
  return {
    name: target.name,
    kind: target.kind,
    ...(device.location === undefined ? {} : { location: device.location }),
    capacityBytes: given === undefined ? device.capacityBytes : given,
    capacityRule: given === undefined ? device.capacityRule : 'given',
    scope: device.scope,
    read: withErrors(read),
    write: withErrors(write),
    source: 'measured',
    tool: device.tool,
    measuredAt: new Date().toISOString(),
    verdict: judge(
      measured.map((one) => one.evidence),
      load,
      [...device.remarks, ...(opinion?.remarks ?? [])],
    ),
    load: { cpuPressure: threeDigits(load.cpuPressure), stolenShare: threeDigits(load.stolenShare) },
    ...(device.details === undefined ? {} : { details: { ...device.details, ...opinion?.details } }),
    samples: read.samples.map(plainSample),
    ...(write === read ? {} : { writeSamples: write.samples.map(plainSample) }),
  };
}

/** The law beside the figures that say how good it is. */
function withErrors({ fit, evidence }: Measured): Transfer {
  return {
    ...fit.transfer,
    passError: threeDigits(evidence.passError),
    ...(evidence.runError === undefined ? {} : { runError: threeDigits(evidence.runError) }),
    spread: threeDigits(evidence.spread),
    rSquared: threeDigits(evidence.rSquared),
  };
}

function plainSample({ bytes, streams, seconds, pass }: Sample) {
  return { bytes, streams, seconds, pass };
}

function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}

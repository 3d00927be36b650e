import { errors } from '../errors.js';
import type { Tier, Transfer } from '../formats/tiers.js';
import { shuffled } from '../random.js';
import { formatBytes, formatBytesPerSecond } from '../units.js';
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
import type { Device, Direction, MeasureSettings, TierTarget } from './kind.js';
import { PASSES, type Point, planPass } from './schedule.js';
import { type Burst, type Evidence, findBurst, judge } from './verdict.js';

/** Time for the first look at a device, whose waves are not counted: they warm it up. */
const FIRST_LOOK_SECONDS = 0.2;
/** From this share of the time on, only what the fit cannot do without is still measured. */
const OVERTIME = 1.15;
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
    const left = Math.max(1, settings.seconds - (performance.now() - openedAt) / 1e3);
    const series = await measureSeries(target, device, settings, left);
    const measured = device.directions.map((direction) => conclude(direction, series.get(direction)!));
    const load = loadWhileAlone([...series.values()].flat());
    const opinion = await device.confirm?.();
    return describeTier(target, device, settings, measured, load, opinion);
  } finally {
    await device.close();
  }
}

interface TimedSample extends Sample {
  /** Relative interquartile range of the waves behind the sample. */
  readonly spread: number;
  /** How much others disturbed the machine meanwhile. */
  readonly load: Load;
}

/** With one stream only: several would wait for processors of their own accord. */
function loadWhileAlone(samples: readonly TimedSample[]): Load {
  const least = Math.min(...samples.map((sample) => sample.streams));
  const loads = samples.filter((sample) => sample.streams === least).map((sample) => sample.load);
  return {
    stolenShare: mean(loads.map((load) => load.stolenShare)),
    cpuPressure: mean(loads.map((load) => load.cpuPressure)),
  };
}

/** All passes: the directions take turns, which spaces the passes of each. */
async function measureSeries(
  target: TierTarget,
  device: Device,
  settings: MeasureSettings,
  seconds: number,
): Promise<Map<Direction, TimedSample[]>> {
  const sizes = (settings.sizes ?? device.sizes).filter((bytes) => bytes <= device.largestWaveBytes);
  const passSeconds = seconds / (PASSES * device.directions.length);
  const series = new Map<Direction, TimedSample[]>();
  const plans = new Map<Direction, ReturnType<typeof planPass>>();
  const least = Math.min(...settings.streams);
  const endsAt = performance.now() + 1e3 * OVERTIME * seconds;
  let done = 0;
  for (let pass = 1; pass <= PASSES; pass++) {
    for (const direction of device.directions) {
      let plan = plans.get(direction);
      if (plan === undefined) {
        const rate = await firstLook(device, direction, sizes, settings);
        plan = planPass(
          sizes,
          settings.streams,
          device.largestWaveBytes,
          passSeconds - FIRST_LOOK_SECONDS / PASSES,
          rate,
          device.overheadSeconds,
        );
        plans.set(direction, plan);
      }
      const total = PASSES * device.directions.length * plan.points.length;
      for (const point of shuffled(plan.points, settings.seed + pass)) {
        done++;
        // Late, on a busy machine: several streams are given up before one.
        if (performance.now() > endsAt && point.streams > least) continue;
        const sample = await measurePoint(device, direction, point, pass, plan.secondsPerPoint, settings);
        series.set(direction, [...(series.get(direction) ?? []), sample]);
        settings.onProgress({
          stage: `${target.name} ${direction}`,
          done,
          total,
          note: liveFigure(sample),
        });
      }
    }
  }
  return series;
}

/** Bytes per second of a middle-sized transfer, to plan with. */
async function firstLook(
  device: Device,
  direction: Direction,
  sizes: readonly number[],
  settings: MeasureSettings,
): Promise<number> {
  checkInterrupt(settings);
  const bytes = sizes[Math.floor((sizes.length - 1) / 2)]!;
  const streams = Math.min(...settings.streams);
  const waves = await device.run({ direction, bytes, streams, seconds: FIRST_LOOK_SECONDS });
  return (bytes * streams) / median(waves);
}

async function measurePoint(
  device: Device,
  direction: Direction,
  point: Point,
  pass: number,
  seconds: number,
  settings: MeasureSettings,
): Promise<TimedSample> {
  checkInterrupt(settings);
  const before = readLoad();
  const waves = await device.run({ direction, ...point, seconds });
  const load = loadBetween(before, readLoad());
  checkInterrupt(settings);
  // The mean, not the median: behind a throttle most small transfers are fast and a few pay for all.
  const average = Number(mean(waves).toPrecision(SAMPLE_DIGITS));
  const spread = (quantile(waves, 0.75) - quantile(waves, 0.25)) / median(waves);
  return { ...point, pass, seconds: average, spread, load };
}

function checkInterrupt(settings: MeasureSettings): void {
  if (settings.signal.aborted) throw errors.interrupted('Nothing was left behind.');
}

function liveFigure({ bytes, streams, seconds }: Sample): string {
  const objects = streams === 1 ? formatBytes(bytes) : `${streams} × ${formatBytes(bytes)}`;
  return `${formatBytesPerSecond((bytes * streams) / seconds)} (${objects})`;
}

/** The law of one direction, past any burst, and the evidence about it. */
function conclude(direction: Direction, all: readonly TimedSample[]): Measured {
  const burst = findBurst(all, fitTransfer(all).transfer);
  const samples = pastBurst(all, burst);
  const fit = fitTransfer(samples);
  const [first, second] = [1, 2].map((pass) => samples.filter((sample) => sample.pass === pass));
  const passError =
    first!.length === 0 || second!.length === 0 ? 0 : predictionError(fitTransfer(first!).transfer, second!);
  return {
    direction,
    fit,
    samples,
    evidence: {
      direction,
      heldOutError: fit.heldOutError,
      passError,
      spread: median(samples.map((sample) => sample.spread)),
      rSquared: fit.rSquared,
      ...(burst === undefined ? {} : { burst }),
    },
  };
}

/** Drops what was measured in the burst, where enough remains of one stream to fit. */
function pastBurst(samples: readonly TimedSample[], burst: Burst | undefined): readonly TimedSample[] {
  if (burst === undefined) return samples;
  const after = samples.slice(burst.endsAt);
  const least = Math.min(...samples.map((sample) => sample.streams));
  const sizesAlone = new Set(
    after.filter((sample) => sample.streams === least).map((sample) => sample.bytes),
  );
  return sizesAlone.size >= 2 ? after : samples;
}

function describeTier(
  target: TierTarget,
  device: Device,
  settings: MeasureSettings,
  measured: readonly Measured[],
  load: Load,
  opinion: Awaited<ReturnType<NonNullable<Device['confirm']>>> | undefined,
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
      device.cpuBound,
      [...device.remarks, ...(opinion?.remarks ?? [])],
    ),
    ...(device.details === undefined ? {} : { details: { ...device.details, ...opinion?.details } }),
    samples: read.samples.map(plainSample),
    ...(write === read ? {} : { writeSamples: write.samples.map(plainSample) }),
  };
}

/** The law beside the figures that say how good it is. */
function withErrors({ fit, evidence }: Measured): Transfer {
  const digits = (value: number) => Number(value.toPrecision(3));
  return {
    ...fit.transfer,
    passError: digits(evidence.passError),
    spread: digits(evidence.spread),
    rSquared: digits(evidence.rSquared),
  };
}

function plainSample({ bytes, streams, seconds, pass }: Sample) {
  return { bytes, streams, seconds, pass };
}

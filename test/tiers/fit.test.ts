import { describe, expect, it } from 'vitest';
import { transferSeconds } from '../../src/cost/transfer.js';
import { fitAffine, fitTransfer, monotoneTable, predictionError, type Sample } from '../../src/tiers/fit.js';
import { randomFrom } from '../support/instances.js';

const SIZES = [1e6, 4e6, 16e6, 64e6, 256e6];

function samplesOf(law: (bytes: number, streams: number) => number, streams = [1, 2, 4, 8]): Sample[] {
  return [1, 2].flatMap((pass) =>
    SIZES.flatMap((bytes) =>
      streams.map((count) => ({ bytes, streams: count, seconds: law(bytes, count), pass })),
    ),
  );
}

describe('fitAffine', () => {
  it('finds latency and bandwidth exactly without noise', () => {
    const fit = fitAffine(SIZES.map((bytes) => ({ bytes, seconds: 2e-3 + bytes / 5e9 })));
    expect(fit.latencySeconds).toBeCloseTo(2e-3, 9);
    expect(fit.bytesPerSecond / 5e9).toBeCloseTo(1, 6);
  });

  it('is hardly moved by one transfer that took ten times as long', () => {
    const points = samplesOf((bytes) => 1e-3 + bytes / 2e9, [1]);
    const spoilt = points.map((point, i) => (i === 3 ? { ...point, seconds: 10 * point.seconds } : point));
    expect(fitAffine(spoilt).bytesPerSecond / 2e9).toBeCloseTo(1, 1);
  });

  it('keeps the latency from going below zero', () => {
    const fit = fitAffine(SIZES.map((bytes) => ({ bytes, seconds: bytes / 1e9 - 5e-4 })));
    expect(fit.latencySeconds).toBe(0);
    expect(fit.bytesPerSecond).toBeGreaterThan(1e9);
  });

  it('puts all time down to bandwidth when there is one size only', () => {
    const fit = fitAffine([{ bytes: 1e6, seconds: 1e-3 }]);
    expect(fit.latencySeconds).toBe(0);
    expect(fit.bytesPerSecond / 1e9).toBeCloseTo(1, 9);
  });

  it('survives times that do not grow with size', () => {
    const fit = fitAffine(SIZES.map((bytes, i) => ({ bytes, seconds: 0.1 - i * 1e-3 })));
    const largest = Math.max(...SIZES);
    expect(fit.bytesPerSecond).toBeCloseTo((9 * largest) / fit.latencySeconds, 0);
    expect(fit.latencySeconds + largest / fit.bytesPerSecond).toBeCloseTo(0.1, 1);
  });
});

describe('fitTransfer', () => {
  it('predicts every size at every number of streams of an affine device', () => {
    const random = randomFrom(7);
    const law = (bytes: number, streams: number) =>
      (1e-3 * streams + (bytes * streams) / (3e9 * streams ** 0.5)) * (0.98 + 0.04 * random());
    const { transfer, heldOutError, rSquared } = fitTransfer(samplesOf(law));
    expect(heldOutError).toBeLessThan(0.03);
    expect(rSquared).toBeGreaterThan(0.99);
    expect(transfer.table).toBeUndefined();
    expect(transfer.byStreams!.map((point) => point.streams)).toEqual([1, 2, 4, 8]);
    expect(predictionError(transfer, samplesOf(law))).toBeLessThan(0.03);
  });

  it('keeps a table where bandwidth has a knee, as of Redis past 4 MB', () => {
    const law = (bytes: number) => (bytes < 8e6 ? bytes / 2e9 : bytes / 0.5e9) + 2e-4;
    const { transfer } = fitTransfer(samplesOf(law));
    expect(transfer.table).toBeDefined();
    expect(transferSeconds(transfer, 64e6)).toBeCloseTo(law(64e6), 3);
    expect(transferSeconds(transfer, 1e6)).toBeCloseTo(law(1e6), 5);
  });

  it('finds the knee of several streams where it lies elsewhere than that of one', () => {
    const knee = (streams: number) => (streams === 1 ? 8e6 : 2e6);
    const law = (bytes: number, streams: number) =>
      (streams * bytes) / (bytes < knee(streams) ? 2e9 : 0.5e9) + 2e-4;
    const { transfer } = fitTransfer(samplesOf(law));
    for (const streams of [1, 2, 4, 8])
      for (const bytes of SIZES)
        expect(transferSeconds(transfer, bytes, streams) / law(bytes, streams)).toBeCloseTo(1, 2);
    // Between two measured numbers of streams times lie between theirs.
    expect(transferSeconds(transfer, 4e6, 3) / law(4e6, 3)).toBeCloseTo(1, 2);
    // Also next to one stream, whose knee is another.
    const few = fitTransfer(samplesOf(law, [1, 4])).transfer;
    expect(transferSeconds(few, 64e6, 2) / law(64e6, 2)).toBeCloseTo(1, 2);
  });

  it('does not keep a table for noise alone', () => {
    const random = randomFrom(3);
    const { transfer } = fitTransfer(samplesOf((bytes) => (bytes / 1e9) * (0.7 + 0.6 * random())));
    expect(transfer.table).toBeUndefined();
  });
});

describe('monotoneTable', () => {
  it('never lets a larger object take less time', () => {
    const table = monotoneTable([
      { bytes: 1e6, seconds: 1e-3 },
      { bytes: 2e6, seconds: 4e-3 },
      { bytes: 4e6, seconds: 2e-3 },
      { bytes: 8e6, seconds: 8e-3 },
    ]);
    const seconds = table.map((point) => point.seconds);
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
    expect(seconds[1]).toBeCloseTo(Math.sqrt(4e-3 * 2e-3), 5);
  });
});

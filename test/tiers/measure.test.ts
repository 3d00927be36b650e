import { describe, expect, it } from 'vitest';
import { checkTiers } from '../../src/formats/tiers.js';
import type { Device, MeasureSettings, Wave } from '../../src/tiers/kind.js';
import { measureDevice } from '../../src/tiers/measure.js';

/** A device that takes exactly as long as its law says, without waiting for it. */
function pretended(law: (wave: Wave) => number, changes: Partial<Device> = {}): Device & { closed: number } {
  const device = {
    closed: 0,
    tool: 'pretended',
    scope: 'node' as const,
    capacityBytes: 1e9,
    capacityRule: 'test',
    sizes: [1e6, 4e6, 16e6, 64e6],
    largestWaveBytes: 1e9,
    directions: ['read', 'write'] as const,
    waitSeconds: () => 0,
    remarks: [],
    run: async (wave: Wave) => [law(wave), law(wave)],
    async close() {
      device.closed++;
    },
    ...changes,
  };
  return device;
}

function settings(changes: Partial<MeasureSettings> = {}): MeasureSettings {
  return {
    seconds: 20,
    streams: [1, 4],
    seed: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...changes,
  };
}

const TARGET = { name: 'pretended', kind: 'file' };
const affine = ({ bytes, streams, direction }: Wave) =>
  1e-3 + (bytes * streams) / (direction === 'read' ? 2e9 : 1e9);

describe('measureDevice', () => {
  it('finds the law of both directions and writes a valid tier', async () => {
    const device = pretended(affine);
    const tier = await measureDevice(TARGET, device, settings(), performance.now());
    checkTiers({ tiers: [tier] }, 'test');
    expect(tier.read.bytesPerSecond / 2e9).toBeCloseTo(1, 2);
    expect(tier.write!.bytesPerSecond / 1e9).toBeCloseTo(1, 2);
    expect(tier.read.byStreams!.at(-1)).toMatchObject({ streams: 4 });
    expect(tier).toMatchObject({ source: 'measured', capacityBytes: 1e9, verdict: { level: 'good' } });
    expect(device.closed).toBe(1);
  });

  it('keeps the capacity that was given, without limit too', async () => {
    const tier = await measureDevice(
      TARGET,
      pretended(affine),
      settings({ capacityBytes: null }),
      performance.now(),
    );
    expect(tier.capacityBytes).toBeNull();
  });

  it('measures past a burst and names it', async () => {
    let moved = 0;
    const device = pretended(
      ({ bytes, streams }) => {
        moved += bytes * streams;
        return (bytes * streams) / (moved < 700e6 ? 2e9 : 0.5e9);
      },
      { directions: ['read'] },
    );
    const tier = await measureDevice(TARGET, device, settings(), performance.now());
    expect(tier.read.bytesPerSecond / 0.5e9).toBeCloseTo(1, 1);
    expect((tier as { verdict?: { reasons: string[] } }).verdict!.reasons.join()).toMatch(/a burst of/);
  });

  it('closes the device when it fails, and when it is interrupted', async () => {
    const failing = pretended(() => {
      throw new Error('gone');
    });
    await expect(measureDevice(TARGET, failing, settings(), performance.now())).rejects.toThrow('gone');
    expect(failing.closed).toBe(1);

    const controller = new AbortController();
    const device = pretended((wave) => {
      controller.abort();
      return affine(wave);
    });
    await expect(
      measureDevice(TARGET, device, settings({ signal: controller.signal }), performance.now()),
    ).rejects.toMatchObject({ exitCode: 130 });
    expect(device.closed).toBe(1);
  });

  it('says how far it is, with the live figure', async () => {
    const events: { stage: string; done: number; total: number; note?: string }[] = [];
    await measureDevice(
      TARGET,
      pretended(affine),
      settings({ onProgress: (event) => events.push(event) }),
      performance.now(),
    );
    expect(events.at(-1)!.done).toBe(events.at(-1)!.total);
    expect(events[0]!.note).toMatch(/\/s \(/);
  });
});

import { EvicpressError, errors, naming, printable } from '../errors.js';
import { profilePath } from '../formats/bundled.js';
import { readTiers } from '../formats/tiers.js';
import { formatBytes, formatBytesPerSecond } from '../units.js';
import { findGpus, type Gpu, measureLink } from './gpu-link.js';
import type { BesideFigures, BesideKind } from './kind.js';

/**
 * The link between host memory and a GPU: what a cache in memory can be loaded at, whatever the memory itself
 * does. Measured by nvbandwidth, or by pinned copies with torch; without a GPU the figure of a bundled machine,
 * marked as reference.
 */
export const gpu: BesideKind = {
  name: 'gpu',
  summary: 'the link to a GPU: gpu, gpu:1, or gpu:h100-host for the figure of a bundled machine',
  field: 'links',
  async detect() {
    const gpus = await findGpus();
    return gpus.map(({ index, name, memoryBytes }) => ({
      target: { name: `gpu${index}`, kind: 'gpu', location: String(index) },
      note: `${name}, ${formatBytes(memoryBytes)}`,
    }));
  },
  async measure(target, settings) {
    const location = target.location ?? '0';
    if (!/^\d+$/.test(location)) return referenceLink(target.name, location);
    const gpus = await findGpus();
    const found = gpus.find((one) => one.index === Number(location));
    if (found === undefined) throw noSuchGpu(target.name, location, gpus);
    settings.onProgress({ stage: `${target.name} link`, done: 0, total: 0, note: found.name });
    const link = await measureLink(found.index, settings.seconds);
    if (settings.signal.aborted) throw errors.interrupted();
    if (link === undefined) {
      throw new EvicpressError(
        `Tier ${target.name}: ${found.name} is here, but nothing that can measure its link. Install nvbandwidth, or torch with CUDA for python3; or take a bundled figure: --tier ${target.name}=gpu:h100-host.`,
      );
    }
    return {
      name: target.name,
      kind: 'gpu',
      source: 'measured',
      measuredAt: new Date().toISOString(),
      gpu: found.name,
      index: found.index,
      memoryBytes: found.memoryBytes,
      freeMemoryBytes: found.freeMemoryBytes,
      ...link,
      summary: `${found.name}, ${formatBytes(found.memoryBytes)}: ${formatBytesPerSecond(link.toDeviceBytesPerSecond)} to the device, ${formatBytesPerSecond(link.toHostBytesPerSecond)} back (${link.tool})`,
    };
  },
};

async function referenceLink(name: string, machine: string): Promise<BesideFigures> {
  const path = naming(`Tier ${name}`, () => profilePath('tiers', machine));
  const profile = await readTiers(path);
  const dram = profile.tiers.find((tier) => tier.kind === 'dram');
  if (dram === undefined) {
    throw new EvicpressError(
      `"${printable(machine)}" says nothing of the link to a GPU. Name a machine with one, e.g. h100-host.`,
    );
  }
  return {
    name,
    kind: 'gpu',
    source: 'reference',
    machine,
    toDeviceBytesPerSecond: dram.read.bytesPerSecond,
    toHostBytesPerSecond: dram.write?.bytesPerSecond ?? dram.read.bytesPerSecond,
    tool: String(dram.read.source ?? 'bundled profile'),
    summary: `${machine}: ${formatBytesPerSecond(dram.read.bytesPerSecond)} to the device (reference: ${String(dram.read.source)})`,
  };
}

function noSuchGpu(tier: string, location: string, gpus: readonly Gpu[]): EvicpressError {
  const here =
    gpus.length === 0
      ? 'nvidia-smi finds no GPU here'
      : `there are ${gpus.map((one) => `${one.index} (${one.name})`).join(', ')}`;
  return new EvicpressError(
    `Tier ${tier}: no GPU ${printable(location)}: ${here}. For the figure of a bundled machine write --tier ${tier}=gpu:h100-host.`,
  );
}

import { prefillSeconds } from '../cost/prefill.js';
import { bundledModels, bundledNames, loadModel, profilePath } from '../formats/bundled.js';
import { readTiers } from '../formats/tiers.js';
import type { Terminal } from '../report/terminal.js';
import { formatBytes, formatBytesPerSecond, formatCount, formatSeconds } from '../units.js';

const SHOWN_TOKENS = 32_768;

/** `evicpress profile --list`: the bundled machines, method profiles and models, each with its source. */
export async function listProfiles(terminal: Terminal): Promise<void> {
  const machines = await Promise.all(
    bundledNames('tiers').map(async (name) => ({
      name,
      ...(await readTiers(profilePath('tiers', name))),
    })),
  );
  const models = await Promise.all((await bundledModels()).map((model) => loadModel(model.name)));
  const withFp8 = await Promise.all(models.map((model) => loadModel(`${model.name}@fp8`)));
  const methods = bundledNames('methods');

  terminal.say('Machines, for --tiers:\n');
  terminal.table(
    ['name', 'reference tiers, fast to slow: capacity, read bandwidth (how its source knows)'],
    machines.map(({ name, tiers }) => [
      name,
      tiers
        .map(
          ({ name: tier, capacityBytes, read }) =>
            `${tier} ${formatBytes(capacityBytes)}, ${formatBytesPerSecond(read.bytesPerSecond)} (${String(read.status)})`,
        )
        .join('; '),
    ]),
  );
  terminal.say(
    '\nModels, for --model; append @fp8, @tp2 or @h200 for another cache dtype, degree or machine:\n',
  );
  terminal.table(
    [
      'name',
      'cache',
      'KV per token',
      'as fp8',
      'ranks',
      'per rank',
      'fixed',
      `KV at ${formatCount(SHOWN_TOKENS)}`,
      'prefill',
      'KV',
      'prefill from',
    ],
    models.map((model, m) => [
      model.name,
      String(model.kvDtype ?? ''),
      formatBytes(model.kvBytesPerToken),
      formatBytes(withFp8[m]!.kvBytesPerToken),
      String(model.tensorParallel ?? 1),
      formatBytes(model.kvBytesPerTokenPerRank ?? model.kvBytesPerToken),
      formatBytes(model.kvFixedBytes ?? 0),
      formatBytes(model.kvBytesPerToken * SHOWN_TOKENS + (model.kvFixedBytes ?? 0)),
      formatSeconds(prefillSeconds(model, SHOWN_TOKENS)),
      String((model as { kvStatus?: string }).kvStatus ?? ''),
      prefillOrigin(model),
    ]),
  );
  if (methods.length > 0) terminal.say(`\nMethod profiles, for --methods: ${methods.join(', ')}.`);
  terminal.say('\nEvery figure and its source: profiles/tiers, profiles/models.json, profiles/sources.');
  terminal.result({ tiers: machines, models, methods });
}

function prefillOrigin(model: Awaited<ReturnType<typeof loadModel>>): string {
  const { machine, status } = model.prefill as { machine?: string; status?: string };
  return [machine, status].filter((word) => word !== undefined).join(', ');
}

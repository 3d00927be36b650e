// Turns the rows of profiles/sources into profiles/models.json and profiles/tiers/*.json.
//   node scripts/reference-profiles.mjs            writes them
//   node scripts/reference-profiles.mjs --check    exits 1 where a file is not what the rows give
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROFILES = fileURLToPath(new URL('../profiles/', import.meta.url));
const ESTIMATOR = 'aiconfigurator 0.12.0, static context, batch 1, vLLM backend';
/** What a tier's law says when one stream cannot be told from many: reference figures are of the whole device. */
const REFERENCE_STREAMS = [1, 8];

const outputs = new Map([['models.json', modelsFile()], ...machineFiles()]);
let stale = 0;
for (const [name, value] of outputs) {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  const path = join(PROFILES, name);
  if (!process.argv.includes('--check')) {
    mkdirSync(join(PROFILES, 'tiers'), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} is not what profiles/sources gives; run node scripts/reference-profiles.mjs`);
    stale++;
  }
}
process.exitCode = stale === 0 ? 0 : 1;

function modelsFile() {
  const parameters = new Map(
    rows('parameters.csv').map((row) => [
      row.model,
      { kind: row.kind, billions: Number(row.active_billions) },
    ]),
  );
  const measured = prefillFits();
  const specifications = rows('models.csv');
  const layersOf = new Map(specifications.map((row) => [row.id, Number(row.layers)]));
  const models = specifications.map((row) => {
    const fits = measured.filter((fit) => fit.model === row.id);
    const prefills = fits.length > 0 ? fits : scaledPrefills(row, measured, parameters, layersOf);
    const [first, ...others] = prefills.map(({ model: _, ...prefill }) => prefill);
    const extra = row.extra === '' ? {} : camelCase(JSON.parse(row.extra));
    return {
      name: row.id,
      label: row.name,
      kvBytesPerToken: Number(row.bf16_bytes_per_token_growing),
      kvFixedBytes: Number(row.bf16_window_bytes_fixed),
      kvDtype: 'bf16',
      attention: row.attention,
      layers: Number(row.layers),
      ...(row.kv_heads === '' ? {} : { kvHeads: Number(row.kv_heads), headDim: Number(row.head_dim) }),
      ...extra,
      kvSource: row.source,
      kvStatus: row.status,
      tensorParallel: first.tensorParallel,
      prefill: first,
      otherPrefills: others,
      source: fits.length > 0 ? 'reference' : 'assumed',
    };
  });
  return { format: 'evicpress.models', version: 1, models };
}

/** One a·n + b·n² per model and machine, from the estimator's rows. */
function prefillFits() {
  const groups = Map.groupBy
    ? Map.groupBy(rows('prefill.csv'), prefillKey)
    : rows('prefill.csv').reduce((map, row) => {
        const key = prefillKey(row);
        return map.set(key, [...(map.get(key) ?? []), row]);
      }, new Map());
  return [...groups.values()].map((group) => {
    const points = group.map((row) => ({
      tokens: Number(row.tokens),
      seconds: Number(row.prefill_ms) / 1e3,
    }));
    const fit = fitPrefill(points);
    return {
      model: group[0].model,
      machine: group[0].machine,
      tensorParallel: Number(group[0].tensor_parallel),
      ...fit,
      tokensFrom: points[0].tokens,
      tokensTo: points.at(-1).tokens,
      source: ESTIMATOR,
      status: 'reference',
      ...(group[0].note === '' ? {} : { note: group[0].note }),
    };
  });
}

function prefillKey(row) {
  return `${row.model} ${row.machine}`;
}

/**
 * Least squares of the relative error of a·n + b·n² with a, b ≥ 0: each equation is divided by its seconds,
 * so that short prompts count as much as long ones.
 */
function fitPrefill(points) {
  let aa = 0;
  let ab = 0;
  let bb = 0;
  let ay = 0;
  let by = 0;
  for (const { tokens, seconds } of points) {
    const x = tokens / seconds;
    const y = (tokens * tokens) / seconds;
    aa += x * x;
    ab += x * y;
    bb += y * y;
    ay += x;
    by += y;
  }
  const determinant = aa * bb - ab * ab;
  let a = (ay * bb - by * ab) / determinant;
  let b = (by * aa - ay * ab) / determinant;
  if (b < 0) [a, b] = [ay / aa, 0];
  if (a < 0) [a, b] = [0, by / bb];
  const relative = points.map(({ tokens, seconds }) =>
    Math.abs((a * tokens + b * tokens * tokens) / seconds - 1),
  );
  return {
    secondsPerToken: round(a),
    secondsPerTokenSquared: round(b),
    medianRelativeError: round(median(relative)),
  };
}

/**
 * Prefill of a model without a row, from the model nearest in active size (a mixture of experts from a mixture):
 * the linear term goes with the active parameters, the square term with layers · width, the width being about
 * √(parameters / layers). Assumed, and marked so.
 */
function scaledPrefills(row, measured, parameters, layersOf) {
  const own = parameters.get(row.id);
  if (own === undefined) throw new Error(`profiles/sources/parameters.csv has no row for ${row.id}`);
  const ofKind = measured.filter((fit) => parameters.get(fit.model).kind === own.kind);
  const distance = (fit) => Math.abs(Math.log(parameters.get(fit.model).billions / own.billions));
  const nearest = ofKind.reduce((best, fit) => (distance(fit) < distance(best) ? fit : best)).model;
  const size = own.billions / parameters.get(nearest).billions;
  const attention = Math.sqrt((size * Number(row.layers)) / layersOf.get(nearest));
  return ofKind
    .filter((fit) => fit.model === nearest)
    .map((fit) => ({
      model: row.id,
      machine: fit.machine,
      tensorParallel: fit.tensorParallel,
      secondsPerToken: round(fit.secondsPerToken * size),
      secondsPerTokenSquared: round(fit.secondsPerTokenSquared * attention),
      source: `${ESTIMATOR}, scaled from ${nearest} by active parameters and layers`,
      status: 'assumed',
    }));
}

function machineFiles() {
  const devices = new Map(rows('devices.csv').map((row) => [row.id, row]));
  const { machines } = JSON.parse(readFileSync(join(PROFILES, 'sources', 'machines.json'), 'utf8'));
  return machines.map(({ name, label, tiers }) => [
    `tiers/${name}.json`,
    {
      format: 'evicpress.tiers',
      version: 1,
      host: { name, label },
      tiers: tiers.map(([tier, id, gigabytes]) => referenceTier(tier, devices.get(id), gigabytes)),
    },
  ]);
}

function referenceTier(name, device, gigabytes) {
  const latencySeconds = round(Number(device.latency_us) / 1e6);
  const transfer = (gigabytesPerSecond) => {
    const bytesPerSecond = Math.round(Number(gigabytesPerSecond) * 1e9);
    const byStreams = REFERENCE_STREAMS.map((streams) => ({ streams, bytesPerSecond }));
    return { latencySeconds, bytesPerSecond, byStreams };
  };
  const latency = { status: device.latency_status, source: device.latency_source };
  return {
    name,
    kind: device.kind,
    label: device.label,
    capacityBytes: gigabytes === null ? null : gigabytes * 1e9,
    capacityStatus: gigabytes === null ? 'unlimited' : 'assumed',
    read: { ...transfer(device.read_gbps), status: device.read_status, source: device.read_source, latency },
    write: {
      ...transfer(device.write_gbps),
      status: device.write_status,
      source: device.write_source,
      latency,
    },
    source: 'reference',
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function camelCase(fields) {
  const renamed = Object.entries(fields).map(([key, value]) => [
    key.replace(/_(.)/g, (_, letter) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(renamed);
}

/** Four significant digits: more than any of the sources has. */
function round(value) {
  return Number(value.toPrecision(4));
}

/** A CSV file of profiles/sources as objects; quotes as RFC 4180 has them. */
function rows(name) {
  const [head, ...body] = readFileSync(join(PROFILES, 'sources', name), 'utf8')
    .trim()
    .split('\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? plain : quoted.replaceAll('""', '"'),
      ),
    );
  return body.map((cells) => Object.fromEntries(head.map((key, i) => [key, cells[i] ?? ''])));
}

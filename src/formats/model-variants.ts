import { errors } from '../errors.js';
import type { Model } from './model.js';

/** Bytes of a KV value against bf16. fp8 without its scales, which engines store apart. */
const DTYPE_SHARE: Readonly<Record<string, number>> = { bf16: 1, fp16: 1, fp8: 0.5 };

/** The fields of a bundled model that a variant is worked out from. */
type BundledPrefill = Model['prefill'] & { readonly machine?: string; readonly tensorParallel?: number };
type BundledModel = Model & {
  readonly attention?: string;
  readonly kvHeads?: number;
  /** KV heads of the layers with full attention, where they differ from those with a window. */
  readonly fullKvHeads?: number;
  readonly prefill: BundledPrefill;
  readonly otherPrefills?: readonly BundledPrefill[];
};

/**
 * A bundled model as it is served, by suffixes of its name: `llama-3.1-70b@fp8@tp8@h200` is an fp8 KV cache on
 * eight tensor-parallel ranks of H200s. `kvBytesPerToken` is what all ranks store together. Grouped heads are
 * divided among the ranks and repeated where there are more ranks than heads; the latent cache of MLA is the
 * same on every rank, and a tier stores it once.
 * @throws EvicpressError on a suffix it does not know.
 */
export function modelVariant(base: BundledModel, suffixes: readonly string[]): Model {
  const { dtype, ranks, degreeGiven, machine } = readSuffixes(base, suffixes);
  const { prefill, source } = prefillAt(base, machine, ranks);
  const share = DTYPE_SHARE[dtype] ?? 1;
  const latent = base.attention === 'mla' || base.kvHeads === undefined;
  const repeats = (heads: number | undefined) =>
    latent || heads === undefined ? 1 : Math.max(1, ranks / heads);
  // A bare name is the model itself, every head counted once; only a degree asked for repeats them.
  const copies = (heads: number | undefined) => (degreeGiven ? repeats(heads) : 1);
  const heads = base.fullKvHeads ?? base.kvHeads;
  const kvBytesPerToken = base.kvBytesPerToken * share * copies(heads);
  return {
    ...base,
    name: [base.name, ...suffixes].join('@'),
    kvDtype: dtype,
    tensorParallel: ranks,
    kvBytesPerToken,
    kvBytesPerTokenPerRank: latent
      ? kvBytesPerToken
      : (base.kvBytesPerToken * share * repeats(heads)) / ranks,
    ...(base.kvFixedBytes === undefined
      ? {}
      : { kvFixedBytes: base.kvFixedBytes * share * copies(base.kvHeads) }),
    prefill,
    ...(source === undefined ? {} : { source }),
  };
}

function readSuffixes(base: BundledModel, suffixes: readonly string[]) {
  const machines = [...new Set(prefillsOf(base).flatMap((prefill) => prefill.machine ?? []))];
  let dtype = base.kvDtype ?? 'bf16';
  let ranks = base.tensorParallel ?? 1;
  let degreeGiven = false;
  let { machine } = base.prefill;
  for (const suffix of suffixes) {
    const degree = /^tp([1-9]\d{0,3})$/.exec(suffix);
    if (degree !== null) {
      ranks = Number(degree[1]);
      degreeGiven = true;
    } else if (suffix in DTYPE_SHARE) dtype = suffix;
    else if (machines.includes(suffix)) machine = suffix;
    else {
      const known = [...Object.keys(DTYPE_SHARE), 'tp1', 'tp2', 'tp4', 'tp8', ...machines];
      throw errors.unknownName(`variant of ${base.name}`, suffix, known);
    }
  }
  return { dtype, ranks, degreeGiven, machine };
}

/**
 * The prefill figures of a machine at a degree. Where there are none of that degree, the known ones divided
 * evenly, which is the best that could be had, and marked assumed.
 */
function prefillAt(
  base: BundledModel,
  machine: string | undefined,
  ranks: number,
): { prefill: BundledPrefill; source?: 'assumed' } {
  const onMachine = prefillsOf(base).filter((prefill) => prefill.machine === machine);
  const exact = onMachine.find((prefill) => (prefill.tensorParallel ?? ranks) === ranks);
  if (exact !== undefined) return { prefill: exact };
  const known = onMachine[0] ?? base.prefill;
  const scale = (known.tensorParallel ?? ranks) / ranks;
  const prefill = {
    ...known,
    tensorParallel: ranks,
    secondsPerToken: known.secondsPerToken * scale,
    secondsPerTokenSquared: known.secondsPerTokenSquared * scale,
    status: 'assumed',
    note: `divided evenly from ${known.tensorParallel ?? 1} to ${ranks} ranks`,
  };
  return { prefill, source: 'assumed' };
}

function prefillsOf(base: BundledModel): BundledPrefill[] {
  return [base.prefill, ...(base.otherPrefills ?? [])];
}

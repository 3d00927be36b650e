import type { KvCache, PrefilledCache } from '../compressions/cache.js';
import { bytePairTokenizer, type Tokenizer } from './bpe.js';
import { type DecoderShape, QUERY_WINDOW } from './decoder-graph.js';
import type { EmbeddedModels } from './models.js';
import { floats, integers, loadOnnxRuntime, openSession, type Tensor } from './onnxruntime.js';

/** Prefill goes in pieces of about this many tokens: attention over one long piece would compute twice as much. */
const PREFILL_TOKENS = 256;

/** A cache handed to the model, ready for many forward passes. */
export type Prefix = Readonly<Record<string, Tensor>>;
/** The keys and values of each row's own tokens so far: `past_key_values.…` → [rows, kvHeads, tokens, headSize]. */
export type Past = Readonly<Record<string, Tensor>>;

/** One forward pass over a batch of rows that share a prefix. All arrays are [rows][…], of equal length per array. */
export interface ForwardInput {
  readonly prefix: Prefix;
  readonly past?: Past;
  readonly ids: readonly (readonly number[])[];
  readonly positions: readonly (readonly number[])[];
  /** 1 where a past or new token may be looked at, 0 for padding. */
  readonly mask: readonly (readonly number[])[];
  /** Which of the new tokens' logits are wanted. */
  readonly wanted: readonly (readonly number[])[];
}

export interface ForwardOutput {
  /** [rows, wanted, vocabulary]. */
  readonly logits: Float32Array;
  readonly past: Past;
}

/** A language model in this process whose KV cache is plain arrays. */
export interface Decoder {
  readonly name: string;
  readonly shape: DecoderShape;
  readonly tokenizer: Tokenizer;
  prefill(ids: readonly number[]): Promise<PrefilledCache>;
  prefix(cache: KvCache): Prefix;
  forward(input: ForwardInput): Promise<ForwardOutput>;
  /** The past of some of the rows only, in the order given. */
  selectRows(past: Past, rows: readonly number[]): Past;
}

/** Opens the built decoder. */
export async function openDecoder(models: EmbeddedModels): Promise<Decoder> {
  const { shape, tokens, merges, special, name } = models.decoder;
  const runtime = loadOnnxRuntime(models.runtimeFolder);
  const session = await openSession(runtime, models.decoderPath);
  const parts = Array.from({ length: shape.layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
  const emptyCache = (kind: 'prefix' | 'past', rows: number) => {
    const dims = [rows, shape.kvHeads, 0, shape.headSize];
    return Object.fromEntries(
      parts.map((part) => [`${kind}_key_values.${part}`, floats(runtime, new Float32Array(0), dims)]),
    );
  };
  const noPrefix = emptyCache('prefix', 1);

  const answerOutputs = ['logits', ...parts.map((part) => `present.${part}`)];

  async function run(
    { prefix, past, ids, positions, mask, wanted }: ForwardInput,
    outputs?: readonly string[],
  ) {
    const table = (values: readonly (readonly number[])[]) =>
      integers(runtime, values.flat(), [values.length, values[0]!.length]);
    const feeds = {
      input_ids: table(ids),
      position_ids: table(positions),
      attention_mask: table(mask),
      logit_positions: table(wanted),
      ...prefix,
      ...(past ?? emptyCache('past', ids.length)),
    };
    return outputs === undefined ? session.run(feeds) : session.run(feeds, outputs);
  }

  const presentAsPast = (output: Readonly<Record<string, Tensor>>): Past =>
    Object.fromEntries(parts.map((part) => [`past_key_values.${part}`, output[`present.${part}`]!]));

  return {
    name,
    shape,
    tokenizer: bytePairTokenizer(tokens, merges, special),

    async prefill(ids) {
      let past: Past | undefined;
      let output: Readonly<Record<string, Tensor>> = {};
      for (const [start, end] of evenPieces(ids.length, PREFILL_TOKENS)) {
        const positions = Array.from({ length: end - start }, (_, i) => start + i);
        output = await run({
          prefix: noPrefix,
          ...(past === undefined ? {} : { past }),
          ids: [ids.slice(start, end)],
          positions: [positions],
          mask: [new Array<number>(end).fill(1)],
          wanted: [[end - start - 1]],
        });
        past = presentAsPast(output);
      }
      const data = (name: string) => output[name]!.data as Float32Array;
      const layers = Array.from({ length: shape.layers }, (_, i) => i);
      return {
        tokens: ids.length,
        kvHeads: shape.kvHeads,
        headSize: shape.headSize,
        layers: layers.map((i) => ({ keys: data(`present.${i}.key`), values: data(`present.${i}.value`) })),
        queries: layers.map((i) => data(`queries.${i}`)),
      };
    },

    prefix(cache) {
      const dims = [1, cache.kvHeads, cache.tokens, cache.headSize];
      return Object.fromEntries(
        cache.layers.flatMap(({ keys, values }, layer) => [
          [`prefix_key_values.${layer}.key`, floats(runtime, keys, dims)],
          [`prefix_key_values.${layer}.value`, floats(runtime, values, dims)],
        ]),
      );
    },

    async forward(input) {
      const output = await run(input, answerOutputs);
      return { logits: output.logits!.data as Float32Array, past: presentAsPast(output) };
    },

    selectRows(past, rows) {
      return Object.fromEntries(
        Object.entries(past).map(([name, { data, dims }]) => {
          const rowValues = dims[1]! * dims[2]! * dims[3]!;
          const selected = new Float32Array(rows.length * rowValues);
          rows.forEach((row, to) => {
            selected.set(
              data.subarray(row * rowValues, (row + 1) * rowValues) as Float32Array,
              to * rowValues,
            );
          });
          return [name, floats(runtime, selected, [rows.length, ...dims.slice(1)])];
        }),
      );
    },
  };
}

/**
 * Splits `length` into pieces of nearly equal size, at most `limit` each: so the last piece, whose queries
 * SnapKV looks at, is never shorter than its window where the whole is not.
 */
export function evenPieces(length: number, limit: number): [start: number, end: number][] {
  if (limit < 2 * QUERY_WINDOW)
    throw new RangeError(`pieces of ${limit} tokens could be shorter than the query window`);
  const count = Math.ceil(length / limit);
  return Array.from({ length: count }, (_, i) => [
    Math.floor((i * length) / count),
    Math.floor(((i + 1) * length) / count),
  ]);
}

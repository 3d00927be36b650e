import { EvicpressError } from '../../errors.js';
import { dequantize, type GgufFile } from './gguf.js';
import { ONNX_TYPE, OnnxGraph } from './onnx.js';
import { embed, linear, type QuantizedWeight, quantizedWeight } from './quantized-weights.js';

/** The sizes of a Llama-style decoder, as the GGUF states them. */
export interface DecoderShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabulary: number;
  readonly window: number;
}

/** How many of the last positions' queries a forward pass returns: SnapKV's window in kvpress. */
export const QUERY_WINDOW = 64;

/** @throws EvicpressError when the file is no Llama-style model. */
export function decoderShape(gguf: GgufFile): DecoderShape {
  const architecture = gguf.metadata.get('general.architecture');
  if (architecture !== 'llama') {
    throw new EvicpressError(
      `The embedded runner builds Llama-style GGUF models; this one is "${String(architecture)}".`,
    );
  }
  const number = (key: string) => Number(gguf.metadata.get(`llama.${key}`));
  const hidden = number('embedding_length');
  const heads = number('attention.head_count');
  return {
    layers: number('block_count'),
    hidden,
    heads,
    kvHeads: number('attention.head_count_kv'),
    headSize: hidden / heads,
    vocabulary: number('vocab_size'),
    window: number('context_length'),
  };
}

/**
 * Builds the ONNX graph of a Llama-style decoder from a GGUF file: 8-bit weights, KV cache rounded to bfloat16.
 *
 * Inputs and outputs are the ones Hugging Face decoders are published with (`input_ids`, `attention_mask`,
 * `position_ids`, `past_key_values.N.key|value` → `logits`, `present.N.key|value`) and four more:
 * - `prefix_key_values.N.key|value` [1, kvHeads, prefix, headSize]: a cache that all rows of the batch attend to
 *   in full. It is only read, so many queries share one context's cache without a copy.
 * - `logit_positions` [batch, answers]: the positions whose logits are wanted.
 * - `queries.N` [batch, heads, ≤ 64, headSize]: the rotated queries of the last positions, for SnapKV.
 * `attention_mask` [batch, past + new] covers the past and the new tokens; the prefix is always visible.
 */
export function buildDecoder(gguf: GgufFile): readonly Uint8Array[] {
  const shape = decoderShape(gguf);
  const graph = new OnnxGraph('decoder');
  const epsilon = { float: Number(gguf.metadata.get('llama.attention.layer_norm_rms_epsilon')) };
  const ids = graph.input('input_ids', 'int64', ['batch', 'length']);
  graph.input('attention_mask', 'int64', ['batch', 'total']);
  graph.input('position_ids', 'int64', ['batch', 'length']);
  const wanted = graph.input('logit_positions', 'int64', ['batch', 'answers']);
  rotationTables(graph, gguf, shape);

  const vocabulary = weight(graph, gguf, 'token_embd.weight', shape.hidden);
  let state = embed(graph, ids, vocabulary);
  const layout = attentionLayout(graph, shape);
  let pending: string | undefined;
  for (let layer = 0; layer < shape.layers; layer++) {
    const name = `blk.${layer}`;
    const entry = normalize(graph, gguf, `${name}.attn_norm`, state, pending, epsilon);
    const attended = attention(graph, gguf, shape, layer, entry.normalized, layout);
    const middle = normalize(graph, gguf, `${name}.ffn_norm`, entry.sum, attended, epsilon);
    pending = feedForward(graph, gguf, name, shape, middle.normalized);
    state = middle.sum;
  }
  const last = normalize(graph, gguf, 'output_norm', state, pending, epsilon).normalized;
  const index = graph.node('Unsqueeze', [wanted, graph.constant('int64', [-1])]);
  const chosen = graph.nodeWithOutputs('GatherND', [last, index], ['chosen'], { batch_dims: 1 });
  const head = gguf.tensors.has('output.weight')
    ? weight(graph, gguf, 'output.weight', shape.hidden)
    : vocabulary;
  graph.node('Identity', [linear(graph, chosen, head)], {}, 'logits');
  graph.output('logits', 'float', ['batch', 'answers', shape.vocabulary]);
  return graph.finish();
}

/** Cosines and sines of the rotary positions, [window, headSize / 2]. */
function rotationTables(graph: OnnxGraph, gguf: GgufFile, shape: DecoderShape): void {
  const base = Number(gguf.metadata.get('llama.rope.freq_base') ?? 10000);
  const half = shape.headSize / 2;
  const cosines = new Float32Array(shape.window * half);
  const sines = new Float32Array(shape.window * half);
  for (let position = 0; position < shape.window; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * base ** (-i / half);
      cosines[position * half + i] = Math.cos(angle);
      sines[position * half + i] = Math.sin(angle);
    }
  }
  graph.initializer('cosines', 'float', [shape.window, half], cosines);
  graph.initializer('sines', 'float', [shape.window, half], sines);
}

/** Shapes and masks that every layer shares, named by what they describe. */
interface Layout {
  /** 0 where a new token may look, −10⁹ elsewhere: [1, batch, groups · length, past + length]. */
  readonly bias: string;
  /** Number of keys in the prefix and among the row's own tokens. */
  readonly keyCounts: string;
  /** Shapes: scores against the prefix by row, the same for all rows at once, their product with the values, queries. */
  readonly prefixScores: string;
  readonly flatPrefixScores: string;
  readonly attended: string;
  readonly queries: string;
}

/** A token sees the whole prefix, itself and what came before it, as far as the attention mask allows. */
function attentionLayout(graph: OnnxGraph, shape: DecoderShape): Layout {
  const { heads, kvHeads, headSize } = shape;
  const groups = heads / kvHeads;
  const scalar = (value: number) => graph.constant('int64', [value], []);
  const list = (...values: number[]) => graph.constant('int64', values);
  const sizeOf = (tensor: string, axis: number) =>
    graph.node('Gather', [graph.node('Shape', [tensor]), list(axis)]);
  const join = (...sizes: string[]) => graph.node('Concat', sizes, { axis: 0 });
  const batch = sizeOf('input_ids', 0);
  const length = sizeOf('input_ids', 1);
  const total = sizeOf('attention_mask', 1);
  const prefix = sizeOf('prefix_key_values.0.key', 2);
  const rows = graph.node('Mul', [length, list(groups)]);

  const end = graph.node('Squeeze', [total]);
  const columns = graph.node('Range', [scalar(0), end, scalar(1)]);
  const ownColumn = graph.node('Range', [
    graph.node('Squeeze', [graph.node('Sub', [total, length])]),
    end,
    scalar(1),
  ]);
  const causal = graph.node('LessOrEqual', [columns, graph.node('Unsqueeze', [ownColumn, list(-1)])]);
  const present = graph.node('Unsqueeze', [
    graph.node('Cast', ['attention_mask'], { to: ONNX_TYPE.bool }),
    list(1),
  ]);
  const visible = graph.node('And', [causal, present]);
  const bias = graph.node('Where', [
    visible,
    graph.constant('float', [0], []),
    graph.constant('float', [-1e9], []),
  ]);
  return {
    bias: graph.node('Tile', [graph.node('Unsqueeze', [bias, list(0)]), list(1, 1, groups, 1)]),
    keyCounts: join(prefix, total),
    prefixScores: join(list(kvHeads), batch, rows, prefix),
    flatPrefixScores: join(list(1), list(kvHeads), graph.node('Mul', [batch, rows]), prefix),
    attended: join(list(kvHeads), batch, rows, list(headSize)),
    queries: join(batch, list(heads), length, list(headSize)),
  };
}

/** RMS norm of `state + addend`; the sum is handed on as the residual stream. */
function normalize(
  graph: OnnxGraph,
  gguf: GgufFile,
  name: string,
  state: string,
  addend: string | undefined,
  epsilon: { float: number },
): { normalized: string; sum: string } {
  const gain = graph.initializer(
    name,
    'float',
    [shapeOf(gguf, `${name}.weight`)[0]!],
    tensorValues(gguf, `${name}.weight`),
  );
  if (addend === undefined) {
    const normalized = graph.node('SimplifiedLayerNormalization', [state, gain], { epsilon, axis: 2 });
    return { normalized, sum: state };
  }
  const sum = `${name}.sum`;
  const outputs = [`${name}.normalized`, '', '', sum];
  graph.nodeWithOutputs(
    'SkipSimplifiedLayerNormalization',
    [state, addend, gain],
    outputs,
    { epsilon },
    'com.microsoft',
  );
  return { normalized: `${name}.normalized`, sum };
}

/**
 * Grouped-query attention in two parts, over the shared prefix and over each row's own tokens, joined in one
 * softmax. Scores are laid out [kvHeads, batch, groups · length, keys], so that the prefix, which has no batch
 * axis, meets all rows in one matrix product.
 */
function attention(
  graph: OnnxGraph,
  gguf: GgufFile,
  shape: DecoderShape,
  layer: number,
  input: string,
  layout: Layout,
): string {
  const { heads, kvHeads, headSize, hidden } = shape;
  const name = `blk.${layer}`;
  const rotate = (x: string) => graph.contrib('RotaryEmbedding', [x, 'position_ids', 'cosines', 'sines']);
  const asStored = (x: string) =>
    graph.node('Cast', [graph.node('Cast', [x], { to: ONNX_TYPE.bfloat16 })], { to: ONNX_TYPE.float });
  const cacheShape = (tokens: string, batch: number | string) => [batch, kvHeads, tokens, headSize];

  // One product for queries, keys and values; queries and keys are rotated together.
  const projected = linear(graph, input, projections(graph, gguf, shape, layer));
  const all = heads + 2 * kvHeads;
  const split = graph.node('Reshape', [projected, graph.constant('int64', [0, 0, all, headSize])]);
  const byHeadFirst = graph.node('Transpose', [split], { perm: [0, 2, 1, 3] });
  const [turning, freshValues] = divide(graph, byHeadFirst, 1, [heads + kvHeads, kvHeads]);
  const [queries, freshKeys] = divide(graph, rotate(turning!), 1, [heads, kvHeads]);
  const lastQueries = [
    queries!,
    graph.constant('int64', [-QUERY_WINDOW]),
    graph.constant('int64', [2 ** 31]),
    graph.constant('int64', [2]),
  ];
  graph.node('Slice', lastQueries, {}, `queries.${layer}`);
  graph.output(`queries.${layer}`, 'float', ['batch', heads, 'window', headSize]);

  const prefix = (part: 'key' | 'value') =>
    graph.input(`prefix_key_values.${layer}.${part}`, 'float', cacheShape('prefix', 1));
  const own = (part: 'key' | 'value', fresh: string): string => {
    const past = graph.input(`past_key_values.${layer}.${part}`, 'float', cacheShape('past', 'batch'));
    const present = graph.node('Concat', [past, asStored(fresh)], { axis: 2 }, `present.${layer}.${part}`);
    graph.output(present, 'float', cacheShape('present', 'batch'));
    return graph.node('Transpose', [present], { perm: [1, 0, 2, 3] });
  };
  const prefixKeys = prefix('key');
  const prefixValues = prefix('value');
  const keys = own('key', freshKeys!);
  const values = own('value', freshValues!);

  // [batch, heads, length, headSize] → [kvHeads, batch, groups · length, headSize]
  const grouped = graph.node('Reshape', [queries!, graph.constant('int64', [0, kvHeads, -1, headSize])]);
  const byHead = graph.node('Transpose', [grouped], { perm: [1, 0, 2, 3] });
  const flat = graph.node('Reshape', [byHead, graph.constant('int64', [1, kvHeads, -1, headSize])]);
  const scale = { alpha: { float: headSize ** -0.5 }, transB: 1 };
  const prefixScores = graph.contrib('FusedMatMul', [flat, prefixKeys], scale);
  const ownScores = graph.contrib('FusedMatMul', [byHead, keys], scale);
  const masked = graph.node('Add', [ownScores, layout.bias]);
  const scores = graph.node('Concat', [graph.node('Reshape', [prefixScores, layout.prefixScores]), masked], {
    axis: 3,
  });
  const weights = graph.node('Softmax', [scores], { axis: 3 });
  const parts = [`${name}.prefix_weights`, `${name}.own_weights`] as const;
  graph.nodeWithOutputs('Split', [weights, layout.keyCounts], parts, { axis: 3 });
  const flatWeights = graph.node('Reshape', [parts[0], layout.flatPrefixScores]);
  const fromPrefix = graph.node('MatMul', [flatWeights, prefixValues]);
  const fromOwn = graph.node('MatMul', [parts[1], values]);
  const sum = graph.node('Add', [graph.node('Reshape', [fromPrefix, layout.attended]), fromOwn]);

  // [kvHeads, batch, groups · length, headSize] → [batch, length, hidden]
  const batchFirst = graph.node('Transpose', [sum], { perm: [1, 0, 2, 3] });
  const byQueryHead = graph.node('Reshape', [batchFirst, layout.queries]);
  const joined = graph.node('Transpose', [byQueryHead], { perm: [0, 2, 1, 3] });
  const context = graph.node('Reshape', [joined, graph.constant('int64', [0, 0, hidden])]);
  return linear(graph, context, weight(graph, gguf, `${name}.attn_output.weight`, hidden));
}

/** The weights of queries, keys and values of a layer as one matrix, the first two with their rows in order. */
function projections(graph: OnnxGraph, gguf: GgufFile, shape: DecoderShape, layer: number): QuantizedWeight {
  const { heads, kvHeads, hidden } = shape;
  const matrix = (part: string) => tensorValues(gguf, `blk.${layer}.attn_${part}.weight`);
  const rows = [
    undoRotaryPermutation(matrix('q'), heads, hidden),
    undoRotaryPermutation(matrix('k'), kvHeads, hidden),
    matrix('v'),
  ];
  return stacked(graph, `blk.${layer}.attn_qkv`, rows, hidden);
}

/** SwiGLU: down(silu(gate(x)) · up(x)); gate and up are one product. */
function feedForward(
  graph: OnnxGraph,
  gguf: GgufFile,
  name: string,
  shape: DecoderShape,
  input: string,
): string {
  const inner = shapeOf(gguf, `${name}.ffn_down.weight`)[1]!;
  const rows = ['gate', 'up'].map((part) => tensorValues(gguf, `${name}.ffn_${part}.weight`));
  const both = linear(graph, input, stacked(graph, `${name}.ffn_gate_up`, rows, shape.hidden));
  const [gate, up] = divide(graph, both, 2, [inner, inner]);
  const activated = graph.contrib('QuickGelu', [gate!], { alpha: { float: 1 } });
  return linear(
    graph,
    graph.node('Mul', [activated, up!]),
    weight(graph, gguf, `${name}.ffn_down.weight`, inner),
  );
}

/** Splits a tensor along an axis into parts of these sizes. */
function divide(graph: OnnxGraph, tensor: string, axis: number, sizes: readonly number[]): string[] {
  const parts = sizes.map((_, i) => `${tensor}.part${i}`);
  graph.nodeWithOutputs('Split', [tensor, graph.constant('int64', sizes)], parts, { axis });
  return parts;
}

/** Matrices of `columns` columns, one below the other. */
function stacked(
  graph: OnnxGraph,
  name: string,
  matrices: readonly Float32Array[],
  columns: number,
): QuantizedWeight {
  const all = new Float32Array(matrices.reduce((sum, matrix) => sum + matrix.length, 0));
  let at = 0;
  for (const matrix of matrices) {
    all.set(matrix, at);
    at += matrix.length;
  }
  return quantizedWeight(graph, name, all, all.length / columns, columns);
}

function weight(graph: OnnxGraph, gguf: GgufFile, name: string, columns: number): QuantizedWeight {
  const matrix = tensorValues(gguf, name);
  return quantizedWeight(graph, name, matrix, matrix.length / columns, columns);
}

/**
 * GGUF stores the rows of Q and K so that rotary pairs are neighbours (2i, 2i + 1); Hugging Face's rotation
 * pairs row i with row i + headSize / 2. Puts the rows of every head back into that order.
 */
export function undoRotaryPermutation(matrix: Float32Array, heads: number, columns: number): Float32Array {
  const headSize = matrix.length / columns / heads;
  const restored = new Float32Array(matrix.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headSize; row++) {
      const from = (head * headSize + row) * columns;
      const to = (head * headSize + (row % 2) * (headSize / 2) + (row >> 1)) * columns;
      restored.set(matrix.subarray(from, from + columns), to);
    }
  }
  return restored;
}

function tensorValues(gguf: GgufFile, name: string): Float32Array {
  const tensor = gguf.tensors.get(name);
  if (tensor === undefined)
    throw new EvicpressError(`The GGUF file has no tensor ${name}: not a complete Llama-style model.`);
  return dequantize(tensor);
}

function shapeOf(gguf: GgufFile, name: string): readonly number[] {
  return gguf.tensors.get(name)?.shape ?? [];
}

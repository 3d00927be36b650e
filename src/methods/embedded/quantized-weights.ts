import type { OnnxGraph } from './onnx.js';

/** Values that share one scale in an 8-bit weight; 32 is what ONNX Runtime's fastest kernels want. */
const BLOCK = 32;
/** An unsigned byte of 128 stands for zero. */
const ZERO_POINT = 128;

/** A linear layer's weight of `rows` outputs and `columns` inputs, ready for {@link linear}. */
export interface QuantizedWeight {
  readonly rows: number;
  readonly columns: number;
  readonly values: string;
  readonly scales: string;
}

/**
 * Stores a weight matrix [rows, columns] at 8 bits with one scale per 32 values: a byte b means
 * (b − 128) · scale. The largest relative error is 1/254 of each block's largest value.
 */
export function quantizedWeight(
  graph: OnnxGraph,
  name: string,
  matrix: Float32Array,
  rows: number,
  columns: number,
): QuantizedWeight {
  if (columns % BLOCK !== 0) throw new RangeError(`${name}: ${columns} columns are no multiple of ${BLOCK}`);
  const values = new Uint8Array(matrix.length);
  const scales = new Float32Array(matrix.length / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    const start = block * BLOCK;
    let largest = 0;
    for (let i = start; i < start + BLOCK; i++) largest = Math.max(largest, Math.abs(matrix[i]!));
    const scale = largest / 127;
    scales[block] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = start; i < start + BLOCK; i++) values[i] = Math.round(matrix[i]! * inverse) + ZERO_POINT;
  }
  const blocks = columns / BLOCK;
  return {
    rows,
    columns,
    values: graph.initializer(`${name}.values`, 'uint8', [rows, blocks, BLOCK], values),
    scales: graph.initializer(`${name}.scales`, 'float', [rows, blocks], scales),
  };
}

/** `input · weightᵀ (+ bias)` over the last axis. */
export function linear(graph: OnnxGraph, input: string, weight: QuantizedWeight, bias?: string): string {
  const product = graph.contrib('MatMulNBits', [input, weight.values, weight.scales], {
    K: weight.columns,
    N: weight.rows,
    bits: 8,
    block_size: BLOCK,
    accuracy_level: 4,
  });
  return bias === undefined ? product : graph.node('Add', [product, bias]);
}

/** Rows of a weight as embeddings: `indices` of shape [batch, length] become [batch, length, columns]. */
export function embed(graph: OnnxGraph, indices: string, weight: QuantizedWeight): string {
  const bytes = graph.node('Cast', [graph.node('Gather', [weight.values, indices])], { to: 1 });
  const centred = graph.node('Sub', [bytes, graph.constant('float', [ZERO_POINT], [])]);
  const scales = graph.node('Unsqueeze', [
    graph.node('Gather', [weight.scales, indices]),
    graph.constant('int64', [-1]),
  ]);
  const shape = graph.constant('int64', [0, 0, weight.columns]);
  return graph.node('Reshape', [graph.node('Mul', [centred, scales]), shape]);
}

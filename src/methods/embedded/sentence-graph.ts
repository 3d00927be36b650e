import { EvicpressError } from '../../errors.js';
import { OnnxGraph } from './onnx.js';
import { embed, linear, quantizedWeight } from './quantized-weights.js';
import type { FloatTensor } from './safetensors.js';

/** MiniLM-L6-v2: 12 heads of 32; BERT's layer norm epsilon. */
const HEADS = 12;
const EPSILON = { float: 1e-12 };

/**
 * Builds the ONNX graph of the sentence encoder all-MiniLM-L6-v2 (a six-layer BERT) from its tensors, weights at
 * 8 bits. Inputs `input_ids` and `attention_mask` [batch, length]; output `embeddings` [batch, hidden], the
 * mean over the tokens that the mask lets through, not normalised.
 */
export function buildSentenceEncoder(tensors: ReadonlyMap<string, FloatTensor>): readonly Uint8Array[] {
  const graph = new OnnxGraph('sentence-encoder');
  const ids = graph.input('input_ids', 'int64', ['batch', 'length']);
  const mask = graph.input('attention_mask', 'int64', ['batch', 'length']);
  const tensor = (name: string): FloatTensor => {
    const found = tensors.get(name);
    if (found === undefined)
      throw new EvicpressError(`The sentence encoder has no tensor ${name}: not all-MiniLM-L6-v2.`);
    return found;
  };
  const plain = (name: string) => graph.initializer(name, 'float', tensor(name).shape, tensor(name).data);
  const dense = (name: string, input: string) => {
    const { shape, data } = tensor(`${name}.weight`);
    return linear(
      graph,
      input,
      quantizedWeight(graph, `${name}.weight`, data, shape[0]!, shape[1]!),
      plain(`${name}.bias`),
    );
  };
  const norm = (name: string, input: string) =>
    graph.node('LayerNormalization', [input, plain(`${name}.weight`), plain(`${name}.bias`)], {
      epsilon: EPSILON,
    });

  const words = tensor('embeddings.word_embeddings.weight');
  const hidden = words.shape[1]!;
  const wordTable = quantizedWeight(
    graph,
    'embeddings.word_embeddings.weight',
    words.data,
    words.shape[0]!,
    hidden,
  );
  const length = graph.node('Slice', [
    graph.node('Shape', [ids]),
    graph.constant('int64', [1]),
    graph.constant('int64', [2]),
  ]);
  const positions = graph.node('Slice', [
    plain('embeddings.position_embeddings.weight'),
    graph.constant('int64', [0]),
    length,
  ]);
  const segment = graph.node('Gather', [
    plain('embeddings.token_type_embeddings.weight'),
    graph.constant('int64', [0]),
  ]);
  const located = graph.node('Add', [graph.node('Add', [embed(graph, ids, wordTable), positions]), segment]);
  let state = norm('embeddings.LayerNorm', located);

  const visible = graph.node('Cast', [mask], { to: 1 });
  const hiddenFrom = graph.node('Mul', [
    graph.node('Sub', [visible, graph.constant('float', [1], [])]),
    graph.constant('float', [1e9], []),
  ]);
  const bias = graph.node('Unsqueeze', [hiddenFrom, graph.constant('int64', [1, 2])]);
  const headSize = hidden / HEADS;
  for (let layer = 0; tensors.has(`encoder.layer.${layer}.attention.self.query.weight`); layer++) {
    const name = `encoder.layer.${layer}`;
    const split = (part: string) => {
      const projected = dense(`${name}.attention.self.${part}`, state);
      const heads = graph.node('Reshape', [projected, graph.constant('int64', [0, 0, HEADS, headSize])]);
      return graph.node('Transpose', [heads], { perm: [0, 2, 1, 3] });
    };
    const scale = { alpha: { float: headSize ** -0.5 }, transB: 1 };
    const scores = graph.contrib('FusedMatMul', [split('query'), split('key')], scale);
    const weights = graph.node('Softmax', [graph.node('Add', [scores, bias])], { axis: 3 });
    const attended = graph.node('Transpose', [graph.node('MatMul', [weights, split('value')])], {
      perm: [0, 2, 1, 3],
    });
    const joined = graph.node('Reshape', [attended, graph.constant('int64', [0, 0, hidden])]);
    const afterAttention = graph.node('Add', [dense(`${name}.attention.output.dense`, joined), state]);
    const middle = norm(`${name}.attention.output.LayerNorm`, afterAttention);
    const inner = graph.contrib('Gelu', [dense(`${name}.intermediate.dense`, middle)]);
    state = norm(
      `${name}.output.LayerNorm`,
      graph.node('Add', [dense(`${name}.output.dense`, inner), middle]),
    );
  }

  const kept = graph.node('Mul', [state, graph.node('Unsqueeze', [visible, graph.constant('int64', [2])])]);
  const sum = graph.node('ReduceSum', [kept, graph.constant('int64', [1])], { keepdims: 0 });
  const count = graph.node('ReduceSum', [visible, graph.constant('int64', [1])], { keepdims: 1 });
  graph.node('Div', [sum, count], {}, 'embeddings');
  graph.output('embeddings', 'float', ['batch', hidden]);
  return graph.finish();
}

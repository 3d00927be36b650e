import { ProtobufMessage } from './protobuf.js';

/** Element types of ONNX tensors (TensorProto.DataType) that our graphs use. */
export const ONNX_TYPE = { float: 1, uint8: 2, int64: 7, bool: 9, bfloat16: 16 } as const;
export type OnnxType = keyof typeof ONNX_TYPE;

/** A node's attribute: numbers that are whole become ints, `{ float }` stays a float. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** ONNX intermediate representation 8 with operator set 17, the pair that every runtime since 2022 reads. */
const IR_VERSION = 8;
const OPSET = 17;
/** Operators of ONNX Runtime itself: quantized products, rotary positions, fused norms. */
const CONTRIB = 'com.microsoft';

/**
 * Builds an ONNX graph node by node. Every method that adds a node returns the name of its (first) output,
 * so that a graph reads like the formula it computes.
 */
export class OnnxGraph {
  private readonly graph = new ProtobufMessage();
  private readonly nodes: ProtobufMessage[] = [];
  private readonly initializers: ProtobufMessage[] = [];
  private readonly inputs: ProtobufMessage[] = [];
  private readonly outputs: ProtobufMessage[] = [];
  private readonly constants = new Map<string, string>();
  private count = 0;

  constructor(name: string) {
    this.graph.text(2, name);
  }

  /** Declares an input; names in `shape` are sizes known only at run time. */
  input(name: string, type: OnnxType, shape: readonly (number | string)[]): string {
    this.inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: OnnxType, shape: readonly (number | string)[]): void {
    this.outputs.push(valueInfo(name, type, shape));
  }

  /** Stores a tensor in the file. */
  initializer(
    name: string,
    type: OnnxType,
    shape: readonly number[],
    data: ArrayBufferView<ArrayBufferLike>,
  ): string {
    const tensor = new ProtobufMessage();
    for (const size of shape) tensor.integer(1, size);
    tensor.integer(2, ONNX_TYPE[type]).text(8, name);
    tensor.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.initializers.push(tensor);
    return name;
  }

  /** A small constant, stored once however often it is asked for. An empty `shape` is a scalar. */
  constant(
    type: 'int64' | 'float',
    values: readonly number[],
    shape: readonly number[] = [values.length],
  ): string {
    const key = `${type}[${shape.join(',')}]:${values.join(',')}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const data = type === 'float' ? new Float32Array(values) : new BigInt64Array(values.map(BigInt));
    const name = this.initializer(`constant.${this.constants.size}`, type, shape, data);
    this.constants.set(key, name);
    return name;
  }

  /** Adds a node with one output, named by `as` or by a running number. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    as?: string,
  ): string {
    return this.nodeWithOutputs(operator, inputs, [as ?? this.fresh(operator)], attributes);
  }

  /** Adds a node of ONNX Runtime's own operator set. */
  contrib(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    as?: string,
  ): string {
    return this.nodeWithOutputs(operator, inputs, [as ?? this.fresh(operator)], attributes, CONTRIB);
  }

  /** Adds a node with several outputs (an empty name leaves one out); returns the first. */
  nodeWithOutputs(
    operator: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    domain?: string,
  ): string {
    const node = new ProtobufMessage();
    for (const input of inputs) node.text(1, input);
    for (const output of outputs) node.text(2, output);
    node.text(3, `${operator}.${this.count++}`).text(4, operator);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    if (domain !== undefined) node.text(7, domain);
    this.nodes.push(node);
    return outputs[0]!;
  }

  fresh(operator: string): string {
    return `${operator.toLowerCase()}.${this.count}`;
  }

  /** The finished model file, in pieces. */
  finish(): readonly Uint8Array[] {
    const graph = new ProtobufMessage();
    for (const node of this.nodes) graph.message(1, node);
    for (const piece of [this.graph]) graph.pieces.push(...piece.pieces);
    graph.byteLength += this.graph.byteLength;
    for (const initializer of this.initializers) graph.message(5, initializer);
    for (const input of this.inputs) graph.message(11, input);
    for (const output of this.outputs) graph.message(12, output);
    return new ProtobufMessage()
      .integer(1, IR_VERSION)
      .text(2, 'evicpress')
      .message(7, graph)
      .message(8, new ProtobufMessage().text(1, '').integer(2, OPSET))
      .message(8, new ProtobufMessage().text(1, CONTRIB).integer(2, 1)).pieces;
  }
}

function attribute(name: string, value: Attribute): ProtobufMessage {
  const message = new ProtobufMessage().text(1, name);
  if (typeof value === 'number') return message.integer(3, value).integer(20, 2);
  if (typeof value === 'string') return message.text(4, value).integer(20, 3);
  if ('float' in value) return message.float(2, value.float).integer(20, 1);
  for (const item of value) message.integer(8, item);
  return message.integer(20, 7);
}

function valueInfo(name: string, type: OnnxType, shape: readonly (number | string)[]): ProtobufMessage {
  const dimensions = new ProtobufMessage();
  for (const size of shape) {
    const dimension = new ProtobufMessage();
    if (typeof size === 'number') dimension.integer(1, size);
    else dimension.text(2, size);
    dimensions.message(1, dimension);
  }
  const tensor = new ProtobufMessage().integer(1, ONNX_TYPE[type]).message(2, dimensions);
  return new ProtobufMessage().text(1, name).message(2, new ProtobufMessage().message(1, tensor));
}

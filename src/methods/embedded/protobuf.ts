/**
 * Writes the wire format of Protocol Buffers, as much of it as an ONNX file needs. A message is a list of
 * byte pieces, so that hundreds of megabytes of weights are never copied into one another.
 */
export class ProtobufMessage {
  readonly pieces: Uint8Array[] = [];
  byteLength = 0;

  /** A varint field (int32, int64, enum); negative values are not needed here and refused. */
  integer(field: number, value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`);
    return this.push(new Uint8Array([...varint(field * 8), ...varint(value)]));
  }

  /** A 32-bit floating point field. */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.push(new Uint8Array([...varint(field * 8 + 5), ...bytes]));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.push(new Uint8Array([...varint(field * 8 + 2), ...varint(value.byteLength)])).push(value);
  }

  message(field: number, value: ProtobufMessage): this {
    this.push(new Uint8Array([...varint(field * 8 + 2), ...varint(value.byteLength)]));
    for (const piece of value.pieces) this.push(piece);
    return this;
  }

  private push(piece: Uint8Array): this {
    this.pieces.push(piece);
    this.byteLength += piece.byteLength;
    return this;
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

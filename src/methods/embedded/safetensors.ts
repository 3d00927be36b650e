import { EvicpressError } from '../../errors.js';

export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Reads the 32-bit float tensors of a safetensors file that lies in memory: eight bytes of header length,
 * a JSON header, then the data.
 * @throws EvicpressError when it is none.
 */
export function readSafetensors(bytes: Uint8Array, path: string): ReadonlyMap<string, FloatTensor> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = bytes.byteLength < 8 ? 0 : Number(view.getBigUint64(0, true));
  if (headerBytes === 0 || headerBytes + 8 > bytes.byteLength)
    throw new EvicpressError(`${path}: not a safetensors file.`);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, FloatTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (dtype !== 'F32') continue;
    // A copy, because a view of floats must start at a multiple of four.
    const data = new Uint8Array(bytes.subarray(8 + headerBytes + offsets[0], 8 + headerBytes + offsets[1]));
    tensors.set(name, { shape, data: new Float32Array(data.buffer) });
  }
  return tensors;
}

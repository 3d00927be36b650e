import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** The part of onnxruntime-node that we use; the package itself is installed on demand. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(path: string, options: object): Promise<Session> };
  readonly Tensor: new (
    type: 'float32' | 'int64',
    data: Float32Array | BigInt64Array,
    dims: readonly number[],
  ) => Tensor;
}

export interface Session {
  /** @param outputs the outputs that are wanted; all of them where it is left out. */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs?: readonly string[],
  ): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

export interface Tensor {
  readonly data: Float32Array | BigInt64Array;
  readonly dims: readonly number[];
}

/**
 * Loads the package from the folder it was installed into. From itself it would report to its makers what is run, and
 * keep a number for this machine in the user's cache folder; both are asked for by the user or not done.
 */
export function loadOnnxRuntime(folder: string): OnnxRuntime {
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  return createRequire(join(folder, 'package.json'))('onnxruntime-node') as OnnxRuntime;
}

/** Opens a model on every core; threads sleep instead of spinning, so that a shared machine stays usable. */
export function openSession(runtime: OnnxRuntime, path: string): Promise<Session> {
  return runtime.InferenceSession.create(path, {
    intraOpNumThreads: availableParallelism(),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

/** Whole numbers as a tensor. */
export function integers(runtime: OnnxRuntime, values: readonly number[], dims: readonly number[]): Tensor {
  return new runtime.Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

/** Floats as a tensor, without a copy. */
export function floats(runtime: OnnxRuntime, values: Float32Array, dims: readonly number[]): Tensor {
  return new runtime.Tensor('float32', values, dims);
}

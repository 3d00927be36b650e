import { EvicpressError, errors, printable } from '../errors.js';
import type { OnProgress } from '../progress.js';
import { type PythonWorker, startWorker, WorkerEnded } from './python-worker.js';
import {
  ContextFailure,
  type LongContexts,
  type Measurement,
  type PreparedContext,
  type Runner,
} from './runner.js';

export interface KvpressSettings {
  /** A Python with kvpress in it: a command or the path of an interpreter. */
  readonly python: string;
  /** A folder with a Hugging Face model, or a name the environment can resolve. */
  readonly model: string;
  /** What the worker computes in; bytes are counted as 16 bits a value whatever it is. */
  readonly dtype: string;
  readonly device: string;
  readonly longContexts: LongContexts;
  readonly similarity: Runner['similarity'];
  /** A Ray cluster to spread the contexts over: its address, or `local`. */
  readonly ray?: string;
  /** Ray workers at most. */
  readonly workers?: number;
}

/** What the worker says about itself (python/evicpress/profiling/session.py). */
interface Description {
  readonly model: string;
  readonly presses: readonly string[];
  readonly fixedRatios: Readonly<Record<string, number>>;
  /** How many configurations it measures best at once. */
  readonly together?: number;
  /** How many contexts it works on at once, where it is a cluster. */
  readonly lanes?: number;
}

/**
 * Opens the kvpress runner: a Python worker that holds the model and is spoken to in NDJSON, or with `ray` as many
 * of them as the cluster has room for.
 * @throws EvicpressError when Python, kvpress or the model is missing.
 */
export async function openKvpressRunner(settings: KvpressSettings, onProgress: OnProgress): Promise<Runner> {
  const { python, model, dtype, device, longContexts, ray, workers } = settings;
  onProgress({ stage: `loading ${model} in Python`, done: 0, total: 0 });
  const options = [
    ...(ray === undefined ? [] : ['--ray', ray]),
    ...(workers === undefined ? [] : ['--workers', String(workers)]),
  ];
  const start = async (): Promise<[PythonWorker, Description]> => {
    const worker = startWorker(python, options);
    try {
      return [worker, (await worker.ask({ op: 'open', model, dtype, device })) as Description];
    } catch (error) {
      await worker.close();
      throw error;
    }
  };
  let [worker, about] = await start();
  const parts = (method: string) => splitMethod(method, about);

  async function prepare(
    { context, text, queries }: Parameters<Runner['prepare']>[0],
    maxAnswerTokens: number,
    lane = 0,
  ): Promise<PreparedContext> {
    const request = { op: 'prepare', lane, context, text, queries, limit: maxAnswerTokens };
    const prepareOn = (current: PythonWorker) => current.ask({ ...request, long_contexts: longContexts });
    let holder = worker;
    const prepared = (await guarded(() => prepareOn(holder))) as Omit<PreparedContext, 'measure'>;
    const measureTogether: PreparedContext['measureTogether'] & object = (
      configurations,
      { queries: asked = null, answer = true } = {},
    ) =>
      guarded(async () => {
        if (holder !== worker) {
          // The worker that had prepared this context is gone.
          holder = worker;
          await prepareOn(holder);
        }
        const wanted = configurations.map(({ method, compressionRatio: ratio }) => ({ method, ratio }));
        const replies = await holder.ask({ op: 'measure', lane, configurations: wanted, asked, answer });
        return (replies as readonly { ok?: Measurement; failed?: string }[]).map(
          ({ ok, failed }) => ok ?? new ContextFailure(printable(failed ?? '', 500)),
        );
      });
    return {
      ...prepared,
      measureTogether,
      async measure(configuration, wanted) {
        const [only] = await measureTogether([configuration], wanted);
        if (only instanceof ContextFailure) throw only;
        return only!;
      },
    };
  }

  /** A worker that dies takes one context or configuration with it; another one goes on with the next. */
  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof WorkerEnded)) throw error;
      await worker.close();
      [worker, about] = await start();
      throw new ContextFailure(`the worker was ended, most likely for want of memory. ${error.message}`);
    }
  }

  return {
    name: 'kvpress',
    model: about.model,
    kvDtype: 'bf16',
    lanes: about.lanes ?? 1,
    together: about.together ?? 1,
    fixedRatio: (method) => {
      const { press, quantizer } = parts(method);
      return press === undefined ? about.fixedRatios[quantizer!] : undefined;
    },
    smallestRatio: (method) => about.fixedRatios[parts(method).quantizer ?? ''] ?? 0,
    prepare,
    ask: async (text, requests, seed, lane = 0) =>
      (await worker.ask({ op: 'ask', lane, text, requests, seed })) as readonly string[],
    similarity: settings.similarity,
    close: () => worker.close(),
  };
}

/** `snapkv`, `int4` or `snapkv+int4`. @throws EvicpressError naming the nearest press or quantizer. */
export function splitMethod(
  method: string,
  { presses, fixedRatios }: Pick<Description, 'presses' | 'fixedRatios'>,
): { readonly press?: string; readonly quantizer?: string } {
  const quantizers = Object.keys(fixedRatios);
  if (quantizers.includes(method)) return { quantizer: method };
  const [press, quantizer, ...rest] = method.split('+');
  if (!presses.includes(press!)) throw errors.unknownName('method', press!, [...presses, ...quantizers]);
  if (quantizer === undefined) return { press: press! };
  if (rest.length > 0 || !quantizers.includes(quantizer)) {
    throw new EvicpressError(
      `Method "${printable(method)}": a combination is a press, a plus and a quantizer (${quantizers.join(', ')}).`,
    );
  }
  return { press: press!, quantizer };
}

import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { EvicpressError, errors, printable } from '../errors.js';
import type { OnProgress } from '../progress.js';
import type { LongContexts, Measurement, PreparedContext, Runner } from './runner.js';

/** The folder of our Python package, so that it need not be installed into the user's environment. */
const PYTHON_FOLDER = fileURLToPath(new URL('../../python/', import.meta.url));

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
}

/** What the worker says about itself (python/evicpress/profiling/session.py). */
interface Description {
  readonly model: string;
  readonly presses: readonly string[];
  readonly fixedRatios: Readonly<Record<string, number>>;
}

type Reply = { readonly ok?: unknown; readonly failed?: string; readonly error?: string };

/**
 * Opens the kvpress runner: a Python worker that holds the model and is spoken to in NDJSON.
 * @throws EvicpressError when Python, kvpress or the model is missing.
 */
export async function openKvpressRunner(settings: KvpressSettings, onProgress: OnProgress): Promise<Runner> {
  const { python, model, dtype, device, longContexts } = settings;
  onProgress({ stage: `loading ${model} in Python`, done: 0, total: 0 });
  const worker = startWorker(python);
  const about = (await worker.ask({ op: 'open', model, dtype, device })) as Description;
  const parts = (method: string) => splitMethod(method, about);
  return {
    name: 'kvpress',
    model: about.model,
    kvDtype: 'bf16',
    fixedRatio: (method) => {
      const { press, quantizer } = parts(method);
      return press === undefined ? about.fixedRatios[quantizer!] : undefined;
    },
    smallestRatio: (method) => about.fixedRatios[parts(method).quantizer ?? ''] ?? 0,
    async prepare({ text, queries }, maxAnswerTokens) {
      const prepared = await worker.ask({ op: 'prepare', text, queries, maxAnswerTokens, longContexts });
      return {
        ...(prepared as Omit<PreparedContext, 'measure'>),
        measure: async (configuration) =>
          (await worker.ask({ op: 'measure', ...configuration })) as Measurement,
      };
    },
    similarity: settings.similarity,
    close: worker.close,
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

/** Starts the worker; requests are answered in the order they are asked. */
function startWorker(python: string) {
  const child = execa(python, ['-m', 'evicpress.profiling'], {
    env: { PYTHONPATH: PYTHON_FOLDER, PYTHONUNBUFFERED: '1', HF_HUB_DISABLE_PROGRESS_BARS: '1' },
    reject: false,
    buffer: { stdout: false, stderr: true },
    maxBuffer: 10_000_000,
    // Ctrl-C reaches the whole process group; the worker finishes its configuration and is closed by us.
    detached: true,
  });
  const waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    waiting.shift()?.resolve(JSON.parse(line) as Reply),
  );
  let ended: EvicpressError | undefined;
  void child.then(({ code, exitCode, signal, stderr }) => {
    const how =
      code === 'ENOENT' ? 'there is no such program' : `it ended (${signal ?? `exit code ${exitCode}`})`;
    ended = new EvicpressError(
      `The kvpress worker did not answer: ${how}. Name a Python that has kvpress 0.5.5 with --python.${lastLine(stderr)}`,
    );
    for (const { reject } of waiting.splice(0)) reject(ended);
  });
  return {
    async ask(request: object): Promise<unknown> {
      if (ended !== undefined) throw ended;
      const reply = await new Promise<Reply>((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(request)}\n`, () => undefined);
      });
      if (reply.ok !== undefined) return reply.ok;
      throw new EvicpressError(reply.failed ?? `The kvpress worker says: ${reply.error}.`);
    },
    async close(): Promise<void> {
      child.stdin.end();
      await Promise.race([child, new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
      child.kill('SIGKILL');
    },
  };
}

function lastLine(text: string | undefined): string {
  const line = text?.trim().split('\n').at(-1);
  return line ? ` It said: ${printable(line, 300)}` : '';
}

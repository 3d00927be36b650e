import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { EvicpressError, printable } from '../errors.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { ContextFailure } from './runner.js';

/** The folder of our Python package, so that it need not be installed into the user's environment. */
const PYTHON_FOLDER = join(PACKAGE_ROOT, 'python');

/** The worker is gone: killed, most likely for want of memory, or ended by a fault of its own. */
export class WorkerEnded extends EvicpressError {}

interface Reply {
  readonly id: number;
  readonly ok?: unknown;
  readonly failed?: string;
  readonly error?: string;
}

/** A Python process that answers requests (python/evicpress/profiling/__main__.py). */
export interface PythonWorker {
  /**
   * @throws ContextFailure, WorkerEnded, or an EvicpressError about the request itself.
   */
  ask(request: object): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts the worker. It may hold several requests at once and answer them in any order. */
export function startWorker(python: string, options: readonly string[] = []): PythonWorker {
  const child = execa(python, ['-m', 'evicpress.profiling', ...options], {
    env: {
      PYTHONPATH: PYTHON_FOLDER,
      PYTHONUNBUFFERED: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      // Neither reports to its makers what is run here, unless the user has asked for it.
      HF_HUB_DISABLE_TELEMETRY: process.env.HF_HUB_DISABLE_TELEMETRY ?? '1',
      RAY_USAGE_STATS_ENABLED: process.env.RAY_USAGE_STATS_ENABLED ?? '0',
      // Threads that spin while they wait take the cores from everybody else on a shared machine.
      OMP_WAIT_POLICY: 'PASSIVE',
    },
    reject: false,
    buffer: { stdout: false, stderr: true },
    maxBuffer: 10_000_000,
    // Ctrl-C reaches the whole process group; the worker finishes its configuration and is closed by us.
    detached: true,
  });
  const waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  let asked = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const reply = JSON.parse(line) as Reply;
    waiting.get(reply.id)?.resolve(reply);
    waiting.delete(reply.id);
  });
  let ended: WorkerEnded | undefined;
  void child.then(({ code, exitCode, signal, stderr }) => {
    const how =
      code === 'ENOENT' ? 'there is no such program' : `it ended (${signal ?? `exit code ${exitCode}`})`;
    ended = new WorkerEnded(
      `The kvpress worker did not answer: ${how}. Name a Python that has kvpress 0.5.5 with --python, or make one with evicpress doctor --install kvpress.${lastLine(stderr)}`,
    );
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  });
  return {
    async ask(request) {
      if (ended !== undefined) throw ended;
      const id = asked++;
      const { ok, failed, error } = await new Promise<Reply>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ id, ...request })}\n`, () => undefined);
      });
      if (ok !== undefined) return ok;
      if (failed !== undefined) throw new ContextFailure(printable(failed, 500));
      throw new EvicpressError(printable(error ?? 'The kvpress worker gave no answer.', 600));
    },
    async close() {
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

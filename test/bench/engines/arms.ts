import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EvicpressError } from '../../../src/errors.js';
import { DTYPE, PYTHON, Stack, type StackState } from '../../engines/stack.js';

/** The model by its name in plans. */
export const MODEL_NAME = 'smollm2-135m';
/** vLLM's block on a CPU; chunks must be whole blocks. */
export const CHUNK_TOKENS = 128;
/** The longest context, in tokens: the engine is started for 2,048, and a question and an answer follow. */
export const MAX_TOKENS = 1872;
/** SmolLM2-135M: 30 layers, 3 KV heads of 64 values, keys and values. */
export const KV_BYTES_PER_TOKEN = 30 * 3 * 64 * 2 * DTYPE.bytes;
const GIB = 2 ** 30;

/** What every arm gets, to the byte. */
export interface Budgets {
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly largestContextChunks: number;
  /** Bytes per second of the emulated disk; 0 for the disk of FOLDER as it is. */
  readonly diskRate: number;
  /** Where the disk tier lies. */
  readonly diskFolder: string;
  /** Where a plan's arm keeps what is compressed in memory, inside the budget of memory. */
  readonly memoryFolder: string;
}

/** Stored bytes over full ones: codes of 8 and 4 bits, and per 64 values a scale of 2 bytes, or scale and offset. */
export const STORED_FRACTION = {
  int8: (1 + 2 / 64) / DTYPE.bytes,
  int4: (0.5 + 4 / 64) / DTYPE.bytes,
  'lmcache-fp8': 1 / DTYPE.bytes,
} as const;

/**
 * The part of the memory's budget that a plan leaves to loads on their way: a largest context whole and compressed,
 * and two chunks for what does not lie together.
 */
export const stagingBytes = ({ largestContextChunks }: Budgets) =>
  Math.ceil(CHUNK_TOKENS * KV_BYTES_PER_TOKEN * (largestContextChunks * (1 + STORED_FRACTION.int8) + 2));

/**
 * One configuration under test: `plan`, or LMCache as shipped as `raw`, `fp8`, `raw+retain`, `fp8+retain`, with its
 * L1 watermark after an `@` (default 0.6).
 */
export class Arm {
  readonly stack: Stack;
  readonly stateFolder: string;
  private readonly groups: readonly number[];

  /** @param compressedBytes of the memory's budget, for which L1 is smaller: what a plan wants compressed in memory. */
  constructor(
    readonly name: string,
    folder: string,
    private readonly budgets: Budgets,
    running?: StackState,
    compressedBytes = 0,
  ) {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    this.stateFolder = join(own, 'state');
    const disk = join(budgets.diskFolder, name);
    this.stack = new Stack(
      {
        folder: own,
        chunkTokens: CHUNK_TOKENS,
        server: [
          PYTHON,
          fileURLToPath(new URL('server.py', import.meta.url)),
          String(budgets.diskRate),
          budgets.diskFolder,
          ...(this.planned
            ? ['plan', ...this.planFlags(disk, compressedBytes)]
            : ['stock', ...this.stockFlags(disk)]),
          ...['--l1-size-gb', String((budgets.memoryBytes - compressedBytes) / GIB)],
        ],
        // Room for three prompts of full length: several engines share this machine's memory.
        engine: ['--num-gpu-blocks-override', '48'],
        // One thread each: only one arm works at a time while anything is measured.
        environment: { OMP_NUM_THREADS: '1', VLLM_CPU_OMP_THREADS_BIND: 'nobind' },
      },
      running?.ports,
    );
    this.groups = running?.groups ?? [];
  }

  /**
   * Stops every process of an arm that runs, or lets them go on: engines that wait poll, and what is measured on one
   * must not share the machine with those.
   */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const group of this.groups) signalGroup(group, signal);
  }

  get planned(): boolean {
    return this.name.startsWith('plan');
  }

  private storage(folder: string): Record<string, unknown> {
    // An emulated disk lies in memory, where there is no page cache to go round.
    return { type: 'fs_native', base_path: folder, use_odirect: this.budgets.diskRate === 0 };
  }

  private planFlags(disk: string, compressedBytes: number): string[] {
    // LMCache's own fp8 too, so that it can be measured beside ours on one server.
    const serdes = [undefined, 'evicpress-int8', 'evicpress-int4', 'evicpress-fp8', 'fp8'];
    const onDisk = serdes.map((type) => ({
      ...this.storage(join(disk, type ?? 'none')),
      evicpress_tier: 'ssd',
      ...(type === undefined ? {} : { serde: { type } }),
    }));
    const inMemory = ['evicpress-int8', 'evicpress-int4'].map((type) => ({
      type: 'fs_native',
      base_path: join(this.budgets.memoryFolder, this.name, type),
      use_odirect: false,
      evicpress_tier: 'dram',
      serde: { type },
    }));
    const adapters = [...onDisk, ...inMemory];
    const stagingShare = stagingBytes(this.budgets) / (this.budgets.memoryBytes - compressedBytes);
    return [
      ...['--plan', join(this.stateFolder, 'in-force.ndjson'), '--staging-share', stagingShare.toFixed(3)],
      ...['--grace-seconds', '5', '--eviction-policy', 'noop'],
      ...adapters.flatMap((adapter) => ['--l2-adapter', JSON.stringify(adapter)]),
    ];
  }

  private stockFlags(disk: string): string[] {
    const [kind, watermark = '0.6'] = this.name.split('@') as [string, string?];
    const [method, retain] = kind.split('+');
    if ((method !== 'raw' && method !== 'fp8') || (retain !== undefined && retain !== 'retain'))
      throw new EvicpressError(
        `Unknown arm "${this.name}": plan, raw, fp8, raw+retain, fp8+retain, or one of the last four with @WATERMARK.`,
      );
    const adapter = {
      ...this.storage(disk),
      max_capacity_gb: this.budgets.diskBytes / GIB,
      eviction: { eviction_policy: 'LRU', trigger_watermark: 0.95, eviction_ratio: 0.05 },
      ...(method === 'fp8' ? { serde: { type: 'fp8' } } : {}),
    };
    return [
      ...['--eviction-policy', 'LRU', '--eviction-trigger-watermark', watermark, '--eviction-ratio', '0.2'],
      ...['--l2-adapter', JSON.stringify(adapter)],
      ...(retain === undefined ? [] : ['--l2-prefetch-policy', 'retain']),
    ];
  }
}

/** Sends a signal to a process group that may have ended by itself. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has.
  }
}

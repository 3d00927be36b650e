import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DEFAULT_THRESHOLDS } from '../../src/workflows/refresh/drift/check.js';
import type { TurnInputs, TurnOptions, TurnTools } from '../../src/workflows/refresh/options.js';
import { type ReadLog, readLog } from '../../src/workflows/refresh/read-log.js';
import { freshState, readState } from '../../src/workflows/refresh/state.js';
import { TEST_MODEL, tier } from '../support/instances.js';

/** A folder that is gone after the test. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-refresh-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function testOptions(folder: string, changes: Partial<TurnOptions> = {}): TurnOptions {
  return {
    folder: join(folder, 'state'),
    log: join(folder, 'log.jsonl'),
    halfLifeSeconds: 600,
    periodSeconds: 3600,
    window: { requests: 1e6, bytes: 1e9 },
    alpha: 1,
    constraints: {},
    solver: 'dual',
    minGain: 0.01,
    migrationSecondsPerByte: 0,
    thresholds: DEFAULT_THRESHOLDS,
    probeEverySeconds: null,
    probeSeconds: 1,
    budgetSeconds: 1,
    holdSeconds: 86_400,
    resume: false,
    dryRun: false,
    ...changes,
  };
}

/** Two tiers: a small fast one and a slow one that is large. */
export function testInputs(changes: Partial<TurnInputs> = {}): TurnInputs {
  return {
    tiers: [tier('dram', 2e9, 20e9), tier('ssd', 40e9, 2e9, 0.001)],
    model: TEST_MODEL,
    methods: [],
    files: [{ path: 'tiers.json', sha256: 'a' }],
    warnings: [],
    ...changes,
  };
}

/** Tools of a world that stands still; what is told is collected. */
export function testTools(
  inputs: () => TurnInputs,
  changes: Partial<TurnTools> = {},
): TurnTools & { told: string[] } {
  const told: string[] = [];
  return {
    told,
    now: () => new Date('2026-03-01T00:00:00Z'),
    loadInputs: async () => inputs(),
    identity: async () => ({ inputs: JSON.stringify(inputs().files) }),
    measureTier: async (measured) => measured,
    tell: (_, message) => {
      told.push(message);
    },
    ...changes,
  };
}

/** A request line of the native form; its first block tells it from all others. */
export function requestLine(number: number, blocks: readonly number[] = [], seconds = number): string {
  const ids = [number + 1_000_000, ...blocks];
  return `${JSON.stringify({ timestamp: 1000 * seconds, input_length: 512 * ids.length, output_length: 9, hash_ids: ids })}\n`;
}

/** Reads what is new, as a turn does. */
export async function readOnce(options: TurnOptions): Promise<ReadLog> {
  const { state } = await readState(options.folder);
  return readLog(state ?? freshState(options.log), options, testTools(testInputs), () => undefined);
}

/** Numbers of the requests that the window holds, in its order. */
export function windowNumbers(options: TurnOptions, { state }: Pick<ReadLog, 'state'>): number[] {
  return state.window.files.flatMap(({ name, bytes }) =>
    readFileSync(join(options.folder, 'window', name))
      .subarray(0, bytes)
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { hash_ids: number[] }).hash_ids[0]! - 1_000_000),
  );
}

import { EvicpressError } from '../../errors.js';
import { pick } from '../../registry.js';
import { formats } from '../../traces/index.js';
import type { Trace } from '../../traces/trace.js';
import { LogClock } from './log-clock.js';
import { readRange } from './log-files.js';
import type { LogPosition } from './log-position.js';
import { type NewLines, readNewLines } from './log-reader.js';
import type { TurnOptions, TurnTools } from './options.js';
import { formatOf, Recorder } from './recorder.js';
import { type RefreshState, writeState } from './state.js';
import { RecentWindow } from './window.js';

/** The first line of a file, for formats that say there what the others mean. */
const FIRST_LINE_BYTES = 65_536;
/** With so many bad lines and no good one a log is of another format than we take it for. */
const HOPELESS_LINES = 10;
/** Requests are stored, and the position moves on, at least this often. */
const STORE_EVERY_BYTES = 64 * 2 ** 20;

/** The log as a turn has it. */
export interface ReadLog {
  readonly state: RefreshState;
  readonly window: RecentWindow;
  readonly newRequests: number;
  readonly badLines: number;
  /** What was noticed: rotation, truncation, loss, the first bad line. */
  readonly notes: readonly string[];
  /** The recent requests; undefined before the first. @throws EvicpressError where the window was altered. */
  trace(): Promise<Trace | undefined>;
}

/**
 * Reads what is new in the log into the window, and moves the position on with it: both are one step, the state's.
 * In a dry run the new requests stay in memory.
 * @throws EvicpressError where the log cannot be read, or is of another format.
 */
export async function readLog(
  before: RefreshState,
  options: TurnOptions,
  tools: TurnTools,
  assertHeld: () => void,
): Promise<ReadLog> {
  let state = before;
  const window = new RecentWindow(windowFolder(options.folder), state.window);
  const notes = await window.repair();
  const { notes: logNotes, left, lines } = await readNewLines(options.log, state.log.position);
  notes.push(...logNotes);
  const clock = new LogClock(state.log.clock);
  let recorder: Recorder | undefined;
  let recording: string | undefined;
  let newRequests = 0;
  let badLines = 0;
  let unstored = 0;
  let moved: LogPosition | undefined;
  let readFrom: string | undefined;
  const store = async () => {
    if (moved === undefined) return;
    state = withProgress(state, moved, recorder!, clock, newRequests - counted, badLines - countedBad);
    counted = newRequests;
    countedBad = badLines;
    unstored = 0;
    moved = undefined;
    if (options.dryRun) return;
    assertHeld();
    await window.store(options.window);
    state = { ...state, window: window.state };
    await writeState(options.folder, state);
    await window.removeForgotten();
  };
  let counted = 0;
  let countedBad = 0;
  for await (const batch of lines) {
    if (recorder === undefined || recording !== fileOf(batch)) {
      await store();
      const format = await formatOf(batch.path, options.format ?? (state.log.format || undefined));
      recorder = new Recorder(format, recorderOptions(options, state), clock);
      recording = fileOf(batch);
    }
    const { requests, bad, firstFault } = recorder.read(batch, await headerOf(batch));
    if (requests.length === 0 && newRequests === 0 && bad >= HOPELESS_LINES)
      throw new EvicpressError(
        `${firstFault} Neither is any other of ${bad} new lines a request in format ${recorder.format.name}. Name the log's format with --format.`,
      );
    if (firstFault !== undefined && badLines === 0)
      notes.push(`lines were left out, the first: ${firstFault}`);
    window.add(requests);
    newRequests += requests.length;
    badLines += bad;
    unstored += batch.bytes.length;
    moved = batch.position;
    readFrom = batch.path;
    if (unstored >= STORE_EVERY_BYTES) await store();
  }
  const blockTokens = recorder?.otherBlockTokens(state.log.blockTokens);
  if (blockTokens !== undefined) {
    notes.push(
      `the blocks of the log are of ${blockTokens} tokens now, of ${state.log.blockTokens} before: none of them is an old one, what was remembered is forgotten`,
    );
    window.clear();
    state = { ...state, log: { ...state.log, blockTokens } };
  }
  await store();
  // While a rotated log has no line yet, the place to go on from stays in the old file.
  const { position } = state.log;
  if (left && position?.left !== true && position !== undefined && readFrom !== options.log) {
    state = { ...state, log: { ...state.log, position: { ...position, left: true } } };
    if (!options.dryRun) await writeState(options.folder, state);
  }
  for (const note of notes) tools.tell('warn', note);
  return { state, window, newRequests, badLines, notes, trace: () => recentTrace(state, window) };
}

async function recentTrace({ log }: RefreshState, window: RecentWindow): Promise<Trace | undefined> {
  if (window.requests === 0) return undefined;
  const { reuse } = pick('log format', formats, log.format);
  return window.load({ reuse, blockTokens: log.blockTokens, engineKeys: log.engineKeys });
}

export function windowFolder(folder: string): string {
  return `${folder}/window`;
}

function fileOf({ path, position }: NewLines): string {
  return `${position.inode} ${path}`;
}

function recorderOptions(options: TurnOptions, state: RefreshState) {
  if (options.blockTokens !== undefined) return { blockTokens: options.blockTokens };
  return state.log.blockTokens > 0 ? { blockTokens: state.log.blockTokens } : {};
}

/** Only where reading begins in the middle of a plain file; compressed ones have no header line in any format. */
async function headerOf({ path, fromBytes }: NewLines): Promise<Buffer | undefined> {
  return fromBytes === 0 ? undefined : readRange(path, 0, FIRST_LINE_BYTES);
}

function withProgress(
  state: RefreshState,
  position: LogPosition,
  recorder: Recorder,
  clock: LogClock,
  newRequests: number,
  newBad: number,
): RefreshState {
  return {
    ...state,
    log: {
      ...state.log,
      format: recorder.format.name,
      blockTokens: state.log.blockTokens > 0 ? state.log.blockTokens : recorder.blockTokens,
      ...(recorder.engineKeys === undefined ? {} : { engineKeys: { ...recorder.engineKeys } }),
      position,
      clock: { ...clock.state },
    },
    requests: {
      counted: state.requests.counted + newRequests,
      bad: state.requests.bad + newBad,
    },
  };
}

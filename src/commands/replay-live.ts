import { type Calibration, calibrate } from '../engines/calibrate.js';
import { LMCACHE_CHUNK_TOKENS } from '../engines/chunk-hashes.js';
import { type LiveResult, type LiveSetting, replayLive, type Similarity } from '../engines/live.js';
import { EvicpressError } from '../errors.js';
import { jsonText, writeWhole } from '../formats/files.js';
import type { MethodRow } from '../formats/methods.js';
import { formatHeader } from '../formats/schema.js';
import { servedModel as findServedModel } from '../openai-client.js';
import type { Terminal } from '../report/terminal.js';
import { readConversations } from '../traces/chat-prompts.js';
import type { Trace } from '../traces/trace.js';
import { formatSeconds, formatShare, parseNumber } from '../units.js';
import type { Inputs } from './inputs.js';
import { flagName } from './options.js';

export interface LiveFlags {
  readonly live?: string;
  readonly liveModel?: string;
  readonly liveMetrics?: string;
  readonly liveRequests?: string;
  readonly liveInput?: string;
  readonly liveOutput?: string;
  readonly livePace?: string;
  readonly liveChunk?: string;
  readonly liveReference?: string;
  readonly calibrate?: string;
  readonly format?: string;
}

/** The commander options of `replay` that have to do with a running engine. */
export const LIVE_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--live <url>', 'send the requests to this running engine, and put measured beside predicted TTFT'],
  ['--live-model <name>', 'the name it serves the model under (default: the first it lists)'],
  ['--live-metrics <url>', "its cache server's metrics, e.g. http://127.0.0.1:8080/metrics: hits by tier"],
  ['--live-requests <n>', 'send only the first so many requests (default: 100)'],
  ['--live-chunk <tokens>', "tokens of a chunk in its cache server's counts (default: the log's, else 256)"],
  ['--live-input <tokens>', 'cut longer prompts to this (default: 2000)'],
  ['--live-output <tokens>', 'ask for at most so many tokens (default: 1)'],
  ['--live-pace <factor>', 'arrivals as in the log, this many times as fast (default: one after the other)'],
  ['--live-reference <url>', 'an engine that caches nothing: how alike the answers are (see --live-output)'],
  ['--calibrate <file>', 'with --live-metrics: write the tier profile, corrected by what was measured'],
];

/** What the flags of `--live` say. */
export interface LiveOptions {
  readonly flags: LiveFlags & { readonly live: string };
  readonly requests: number;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly chunkTokens?: number;
  readonly pace?: number;
}

/**
 * Reads the flags of `--live`, and sees whether the engine answers, before a log is read.
 * @returns undefined without `--live`.
 * @throws EvicpressError
 */
export async function openLive(flags: LiveFlags): Promise<LiveOptions | undefined> {
  const { live } = flags;
  if (live === undefined) {
    const alone = Object.keys(flags).find((name) => name === 'calibrate' || /^live[A-Z]/.test(name));
    if (alone === undefined) return undefined;
    throw new EvicpressError(`${flagName(alone)} needs a running engine. Name it with --live URL.`);
  }
  if (flags.calibrate !== undefined && (flags.liveMetrics === undefined || flags.livePace !== undefined))
    throw new EvicpressError(
      'To calibrate tiers each request must be known by what served it: give --live-metrics, and leave --live-pace out.',
    );
  const whole = (text: string, name: string) => Math.floor(parseNumber(text, name, { min: 1 }));
  const options: LiveOptions = {
    flags: { ...flags, live },
    requests: whole(flags.liveRequests ?? '100', '--live-requests'),
    maxInputTokens: whole(flags.liveInput ?? '2000', '--live-input'),
    maxOutputTokens: whole(flags.liveOutput ?? '1', '--live-output'),
    ...(flags.liveChunk === undefined ? {} : { chunkTokens: whole(flags.liveChunk, '--live-chunk') }),
    ...(flags.livePace === undefined
      ? {}
      : { pace: parseNumber(flags.livePace, '--live-pace', { min: 1e-3 }) }),
  };
  await findServedModel(live, flags.liveModel);
  return options;
}

/** What `replay --live` reports with --json. */
export type LiveReport = Omit<LiveResult, 'requests'> & {
  readonly live: string;
  readonly sent: number;
  readonly ttftSeconds: readonly number[];
  readonly calibration?: Omit<Calibration, 'tiers'>;
};

/** Replays the log of `path` on a running engine and shows predicted beside measured. @throws EvicpressError */
export async function runLive(
  path: string,
  trace: Trace,
  inputs: Inputs,
  { flags, ...options }: LiveOptions,
  terminal: Terminal,
): Promise<LiveReport> {
  const { maxInputTokens } = options;
  const conversations = await readConversations(path, flags.format, options.requests, maxInputTokens);
  const setting: LiveSetting = {
    trace,
    ...(conversations === undefined ? {} : { conversations }),
    url: flags.live,
    tiers: inputs.tiers,
    model: inputs.model,
    methodCost: costOf(inputs.methods.rows),
    ...options,
    chunkTokens: options.chunkTokens ?? trace.engineKeys?.chunkSize ?? LMCACHE_CHUNK_TOKENS,
    onProgress: terminal.progress,
    ...(flags.liveModel === undefined ? {} : { servedModel: flags.liveModel }),
    ...(flags.liveMetrics === undefined ? {} : { metricsUrl: flags.liveMetrics }),
    ...(flags.liveReference === undefined
      ? {}
      : { reference: { url: flags.liveReference, similarity: await openAnswerSimilarity(terminal) } }),
  };
  const { requests, groups, servedModel, answers } = await replayLive(setting);
  terminal.finish();
  terminal.table(
    ['served from', 'requests', 'measured', 'predicted', 'error'],
    groups.map((group) => [
      group.place,
      String(group.requests),
      formatSeconds(group.measuredMedianSeconds),
      group.predictedMedianSeconds === null ? '' : formatSeconds(group.predictedMedianSeconds),
      group.relativeError === null ? '' : formatShare(group.relativeError),
    ]),
  );
  terminal.say(
    `Median TTFT of ${requests.length} requests, sent as ${conversations === undefined ? "text made up to the log's lengths and shared prefixes" : "the log's own conversations"}; measured by this client, predicted from tier profile and model.`,
  );
  if (answers !== undefined)
    terminal.say(
      `Answers beside those of ${flags.liveReference}: ${answers.identical} of ${answers.pairs} identical, mean similarity ${answers.meanSimilarity.toFixed(3)} (cosine of MiniLM embeddings).`,
    );
  const calibration =
    flags.calibrate === undefined
      ? undefined
      : await writeCalibration(flags.calibrate, requests, setting, terminal);
  return {
    live: flags.live,
    servedModel,
    groups,
    sent: requests.length,
    ttftSeconds: requests.map((request) => request.ttftSeconds),
    ...(answers === undefined ? {} : { answers }),
    ...(calibration === undefined ? {} : { calibration }),
  };
}

/** The measure profiling uses; its sentence encoder is downloaded the first time. */
async function openAnswerSimilarity(terminal: Terminal): Promise<Similarity> {
  const { cacheFolder } = await import('../formats/cache-folder.js');
  const { ensureModels } = await import('../methods/embedded/models.js');
  const { openSimilarity } = await import('../methods/embedded/runner.js');
  return openSimilarity(await ensureModels(cacheFolder(), terminal.progress));
}

async function writeCalibration(
  path: string,
  requests: LiveResult['requests'],
  setting: LiveSetting,
  terminal: Terminal,
): Promise<Omit<Calibration, 'tiers'>> {
  const { tiers, prefill, addedSeconds } = calibrate(requests, setting);
  const modelPath = path.replace(/(\.json)?$/, '.model.json');
  await writeWhole(path, jsonText({ ...formatHeader('tiers'), tiers }));
  await writeWhole(modelPath, jsonText({ ...formatHeader('model'), ...setting.model, prefill }));
  for (const [tier, seconds] of Object.entries(addedSeconds))
    terminal.say(
      `${tier}: a load takes ${formatSeconds(Math.abs(seconds))} ${seconds < 0 ? 'less' : 'more'} than the profile says.`,
    );
  terminal.say(
    `Prefill: ${prefill.secondsPerToken.toExponential(3)} s per token, ${(prefill.secondsPerTokenSquared ?? 0).toExponential(3)} s per token squared. Corrected tiers written to ${path}, the model to ${modelPath}.`,
  );
  return { prefill, addedSeconds };
}

/** What methods cost by their rows for any context, or the mean of the rows there are. */
function costOf(rows: readonly MethodRow[]): LiveSetting['methodCost'] {
  return (method) => {
    const own = rows.filter((row) => row.method === method);
    const general = own.filter((row) => row.context === '*');
    const used = general.length > 0 ? general : own;
    if (used.length === 0) return { bytesFraction: 1, secondsPerFullByte: 0 };
    const mean = (of: (row: MethodRow) => number) =>
      used.reduce((sum, row) => sum + of(row), 0) / used.length;
    return {
      bytesFraction: mean((row) => row.storedBytes / row.fullBytes),
      secondsPerFullByte: mean((row) => (row.decompressSeconds ?? 0) / row.fullBytes),
    };
  };
}

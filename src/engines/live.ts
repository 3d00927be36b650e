import { recomputeSeconds } from '../cost/prefill.js';
import { transferSeconds } from '../cost/transfer.js';
import type { Model } from '../formats/model.js';
import type { Tier } from '../formats/tiers.js';
import type { Prompt, StreamedAnswer } from '../openai-client.js';
import type { OnProgress } from '../progress.js';
import type { Conversation } from '../traces/chat-prompts.js';
import type { Trace } from '../traces/trace.js';
import { connectEngine, type LiveEngine } from './live-engine.js';
import { readServedChunks, servedBetween } from './live-metrics.js';
import { syntheticPrompts } from './live-prompts.js';

export interface LiveSetting {
  readonly trace: Trace;
  /** The log's own text, request by request; without it synthetic text is sent. */
  readonly conversations?: readonly Conversation[];
  readonly url: string;
  /** The name the engine serves the model under; without it the first it lists. */
  readonly servedModel?: string;
  /** The server's Prometheus endpoint: hits by tier, and with them predictions by tier. */
  readonly metricsUrl?: string;
  readonly tiers: readonly Tier[];
  readonly model: Model;
  /** storedBytes / fullBytes and seconds to decompress a full byte, by method. */
  readonly methodCost: (method: string) => { bytesFraction: number; secondsPerFullByte: number };
  readonly requests: number;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  /** Tokens of a chunk the server counts. */
  readonly chunkTokens: number;
  /** Arrivals this many times as fast as in the log; without it one request after the other. */
  readonly pace?: number;
  /** An engine that has nothing cached, and how alike two answers are, in [0, 1]. */
  readonly reference?: { readonly url: string; readonly similarity: Similarity };
  readonly onProgress?: OnProgress;
}

/** How alike two answers are, in [0, 1]. */
export type Similarity = (reference: string, candidate: string) => Promise<number>;

/** What a prediction needs to know. */
export type CalibrationSetting = Pick<LiveSetting, 'tiers' | 'model' | 'methodCost' | 'chunkTokens'>;

/** One request as it went. */
export interface LiveRequest {
  readonly inputTokens: number;
  readonly ttftSeconds: number;
  /** Chunks served by place; undefined where they were not counted request by request. */
  readonly hits: ReadonlyMap<string, number> | undefined;
  readonly text?: string;
}

/** The answers of the engine beside those of the reference. */
export interface LiveAnswers {
  readonly pairs: number;
  readonly identical: number;
  readonly meanSimilarity: number;
}

/** Predicted beside measured for the requests served mainly from one place. */
export interface LiveGroup {
  /** A tier, with its method where compressed; `prefill` where nothing was cached; `all`. */
  readonly place: string;
  readonly requests: number;
  readonly measuredMedianSeconds: number;
  readonly predictedMedianSeconds: number | null;
  /** |predicted − measured| / measured of the medians. */
  readonly relativeError: number | null;
}

export interface LiveResult {
  readonly servedModel: string;
  readonly requests: readonly LiveRequest[];
  readonly groups: readonly LiveGroup[];
  /** With a reference. */
  readonly answers?: LiveAnswers;
}

/** The group of requests that found nothing in any tier. */
export const PREFILL = 'prefill';

/**
 * Sends a log's requests to a running engine, as its own text or as synthetic text of the same lengths and shared
 * prefixes, and measures the time to the first token as a client sees it. One after the other and with metrics, each request's
 * hits are known, so its TTFT can be predicted from the tier profile and the model, and compared.
 * @throws EvicpressError where the engine or its metrics cannot be reached.
 */
export async function replayLive(setting: LiveSetting): Promise<LiveResult> {
  const engine = await connectEngine(setting.url, setting.servedModel);
  const count = Math.min(setting.requests, setting.trace.requests);
  const requests =
    setting.pace === undefined
      ? await oneByOne(setting, engine, count)
      : await atPace(setting, engine, count, setting.pace);
  const answers = setting.reference && (await compareAnswers(setting, setting.reference, requests));
  return {
    servedModel: engine.model,
    requests,
    groups: groupsOf(requests, setting),
    ...(answers === undefined ? {} : { answers }),
  };
}

/** Asks the reference what the engine was asked, when all is measured, and compares. */
async function compareAnswers(
  setting: LiveSetting,
  { url, similarity }: NonNullable<LiveSetting['reference']>,
  requests: readonly LiveRequest[],
): Promise<LiveAnswers> {
  const engine = await connectEngine(url);
  const prompt = promptsOf(setting);
  let [identical, sum] = [0, 0];
  for (const [r, { text = '' }] of requests.entries()) {
    setting.onProgress?.({ stage: 'asking the reference', done: r, total: requests.length });
    const reference = await ask(setting, engine, r, prompt(r));
    if (reference.text === text) identical++;
    sum += await similarity(reference.text, text);
  }
  return { pairs: requests.length, identical, meanSimilarity: sum / requests.length };
}

async function oneByOne(setting: LiveSetting, engine: LiveEngine, count: number): Promise<LiveRequest[]> {
  const { metricsUrl, onProgress } = setting;
  const prompt = promptsOf(setting);
  const done: LiveRequest[] = [];
  let before = metricsUrl === undefined ? undefined : await readServedChunks(metricsUrl);
  for (let r = 0; r < count; r++) {
    onProgress?.({ stage: 'asking the engine', done: r, total: count });
    const answer = await ask(setting, engine, r, prompt(r));
    const after = metricsUrl === undefined ? undefined : await readServedChunks(metricsUrl);
    const hits = before === undefined || after === undefined ? undefined : servedBetween(before, after);
    before = after;
    done.push(requestOf(setting, r, answer, hits));
  }
  return done;
}

async function atPace(
  setting: LiveSetting,
  engine: LiveEngine,
  count: number,
  pace: number,
): Promise<LiveRequest[]> {
  const prompt = promptsOf(setting);
  const startedAt = performance.now();
  let answered = 0;
  return Promise.all(
    Array.from({ length: count }, async (_, r) => {
      const dueMs = (1000 * setting.trace.timestampSeconds[r]!) / pace - (performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs)));
      const answer = await ask(setting, engine, r, prompt(r));
      setting.onProgress?.({ stage: 'asking the engine', done: ++answered, total: count });
      return requestOf(setting, r, answer, undefined);
    }),
  );
}

function promptsOf({ trace, conversations, maxInputTokens }: LiveSetting): (request: number) => Prompt {
  return conversations === undefined ? syntheticPrompts(trace, maxInputTokens) : (r) => conversations[r]!;
}

/** @param hits undefined where they were not counted request by request. */
function requestOf(
  { trace, maxInputTokens }: LiveSetting,
  r: number,
  { ttftSeconds, text, promptTokens }: StreamedAnswer,
  hits: LiveRequest['hits'],
): LiveRequest {
  const inputTokens = promptTokens ?? Math.min(trace.inputTokens[r]!, maxInputTokens);
  return { inputTokens, ttftSeconds, hits, text };
}

function ask(
  { trace, maxOutputTokens }: LiveSetting,
  engine: LiveEngine,
  r: number,
  prompt: Prompt,
): Promise<StreamedAnswer> {
  // A tenant's caches are its own, in the engine as in the log.
  const tenant = trace.tenantOf[r]!;
  return engine.complete(
    prompt,
    Math.min(trace.outputTokens[r]!, maxOutputTokens),
    tenant < 0 ? undefined : trace.tenants[tenant],
  );
}

/** What a request's TTFT should have been by profile and model, given what it was served from where. */
export function predictedSeconds(request: LiveRequest, setting: CalibrationSetting): number | null {
  const { hits, inputTokens } = request;
  if (hits === undefined) return null;
  let cachedTokens = 0;
  let seconds = 0;
  for (const [place, chunks] of hits) {
    cachedTokens += chunks * setting.chunkTokens;
    seconds += loadCost(place, chunks, setting).seconds;
  }
  const cached = Math.min(cachedTokens, inputTokens);
  return seconds + recomputeSeconds(setting.model, cached, inputTokens - cached);
}

/** Loading so many chunks from a place: stored bytes, and seconds with and for decompression; 0 for an unknown tier. */
export function loadCost(
  place: string,
  chunks: number,
  setting: CalibrationSetting,
): { bytes: number; decompressSeconds: number; seconds: number } {
  const [tierName, method = 'none'] = place.split(' ') as [string, string?];
  const tier = setting.tiers.find((entry) => entry.name === tierName);
  if (tier === undefined) return { bytes: 0, decompressSeconds: 0, seconds: 0 };
  const fullBytes = chunks * setting.chunkTokens * setting.model.kvBytesPerToken;
  const { bytesFraction, secondsPerFullByte } =
    method === 'none' ? { bytesFraction: 1, secondsPerFullByte: 0 } : setting.methodCost(method);
  const bytes = fullBytes * bytesFraction;
  const decompressSeconds = fullBytes * secondsPerFullByte;
  return { bytes, decompressSeconds, seconds: transferSeconds(tier.read, bytes) + decompressSeconds };
}

/** The place that served most of a request. */
export function mainPlace({ hits }: LiveRequest): string {
  const [first] = [...(hits ?? [])].sort((a, b) => b[1] - a[1]);
  return first?.[0] ?? PREFILL;
}

/** Predicted beside measured, by the place that served most of a request, fast to slow, and in all. */
export function groupsOf(requests: readonly LiveRequest[], setting: CalibrationSetting): LiveGroup[] {
  const places = new Map<string, LiveRequest[]>();
  if (requests.some((request) => request.hits !== undefined)) {
    for (const request of requests) {
      const place = mainPlace(request);
      places.set(place, [...(places.get(place) ?? []), request]);
    }
  }
  const order = [...setting.tiers.map((tier) => tier.name), PREFILL];
  const rank = (place: string) => order.indexOf(place.split(' ')[0]!);
  return [
    ...[...places].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)),
    ['all', requests] as const,
  ].map(([place, members]) => groupOf(place, members, setting));
}

function groupOf(place: string, members: readonly LiveRequest[], setting: CalibrationSetting): LiveGroup {
  const measured = median(members.map((request) => request.ttftSeconds));
  const predictions = members.map((request) => predictedSeconds(request, setting));
  const known = predictions.filter((seconds) => seconds !== null);
  const predicted = known.length < members.length ? null : median(known);
  return {
    place,
    requests: members.length,
    measuredMedianSeconds: measured,
    predictedMedianSeconds: predicted,
    relativeError: predicted === null || measured === 0 ? null : Math.abs(predicted - measured) / measured,
  };
}

/** The middle value; the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

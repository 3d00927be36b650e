import { fitPrefill, type PrefillSample } from '../cost/prefill-fit.js';
import { EvicpressError, errors } from '../errors.js';
import { listModels, type ServedModel, servedModel, streamAnswer } from '../openai-client.js';
import { shuffled } from '../random.js';
import { formatSeconds, formatShare } from '../units.js';
import type { BesideKind, MeasureSettings, TierTarget } from './kind.js';
import { PASSES } from './schedule.js';

/** Prompt lengths in words; the server says how many tokens they were. */
const LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384];
/** Words that need not be spelt in a token each may exceed a model's length: leave room. */
const MOST_OF_CONTEXT = 0.6;
/** A server that is busy answers late; where none listens the refusal comes at once. */
const ANSWER_MILLISECONDS = 3000;
/** Where a server usually listens on this machine: vLLM, SGLang, llama.cpp. */
const USUAL_PORTS = [8000, 30000, 8080];

/**
 * A running OpenAI-compatible server: the time to the first token of fresh prompts, streamed one at a time, over a
 * range of lengths, fitted as overhead + a·n + b·n². Prompts begin with random words, so that no prefix cache helps.
 */
export const engine: BesideKind = {
  name: 'engine',
  summary: 'prefill speed of a running OpenAI-compatible server: engine:http://127.0.0.1:8000',
  field: 'engines',
  async detect() {
    const urls = [
      ...(process.env.OPENAI_BASE_URL === undefined ? [] : [process.env.OPENAI_BASE_URL]),
      ...USUAL_PORTS.map((port) => `http://127.0.0.1:${port}`),
    ];
    const answers = await Promise.all(
      urls.map(async (url) => ({
        url,
        model: (await listModels(url, ANSWER_MILLISECONDS).catch(() => []))[0],
      })),
    );
    return answers.flatMap(({ url, model }) =>
      model === undefined
        ? []
        : [{ target: { name: 'engine', kind: 'engine', location: url }, note: `serves ${model.id}` }],
    );
  },
  async check(target) {
    await findModel(target);
  },
  async measure(target, settings) {
    const { location, model } = await findModel(target);
    const samples = await measurePrompts(target.name, location, model, settings);
    const lengths = new Set(samples.map((sample) => sample.tokens));
    if (lengths.size < 3) {
      throw new EvicpressError(
        `Tier ${target.name}: only ${lengths.size} lengths of prompt could be measured in ${settings.seconds} s. Give it more with --seconds-per-tier.`,
      );
    }
    const fit = fitPrefill(samples);
    const at = 4096;
    const seconds = fit.secondsPerToken * at + fit.secondsPerTokenSquared * at ** 2;
    if (seconds === 0) {
      throw new EvicpressError(
        `Tier ${target.name}: the time to the first token does not grow with the prompt, ${extremes(samples)}. The server is too busy to be measured, or answers from a cache: measure again when it is idle.`,
      );
    }
    return {
      name: target.name,
      kind: 'engine',
      source: 'measured',
      location,
      model: model.id,
      measuredAt: new Date().toISOString(),
      prefill: fit,
      samples,
      summary: `${model.id}: prefill of ${at} tokens ${formatSeconds(seconds)}, ${formatSeconds(fit.overheadSeconds)} for every request, error ${formatShare(fit.medianRelativeError)}`,
    };
  },
};

/** What the shortest and the longest prompt took, each at its best. */
function extremes(samples: readonly PrefillSample[]): string {
  const lengths = samples.map((sample) => sample.tokens);
  return [Math.min(...lengths), Math.max(...lengths)]
    .map((tokens) => {
      const times = samples.filter((sample) => sample.tokens === tokens).map((sample) => sample.seconds);
      return `${formatSeconds(Math.min(...times))} for ${tokens} tokens`;
    })
    .join(' and ');
}

/** The model that a target's server serves first. @throws EvicpressError */
async function findModel({ name, location }: TierTarget): Promise<{ location: string; model: ServedModel }> {
  if (location === undefined || !/^https?:\/\//.test(location)) {
    throw new EvicpressError(
      `Tier ${name}: engine needs the address of a server. Write --tier ${name}=engine:http://127.0.0.1:8000.`,
    );
  }
  return { location, model: await servedModel(location) };
}

async function measurePrompts(
  name: string,
  url: string,
  model: ServedModel,
  settings: MeasureSettings,
): Promise<PrefillSample[]> {
  const longest = MOST_OF_CONTEXT * (model.contextTokens ?? LENGTHS.at(-1)!);
  const lengths = LENGTHS.filter((words) => words <= Math.max(longest, LENGTHS[2]!));
  const samples: PrefillSample[] = [];
  const endsAt = performance.now() + 1e3 * settings.seconds;
  // The first request of a server pays for what it sets up; it is not counted.
  await timePrompt(url, model.id, prompt(LENGTHS[0]!, settings.seed), settings.signal);
  for (let pass = 1; pass <= PASSES; pass++) {
    for (const words of shuffled(lengths, settings.seed + pass)) {
      if (settings.signal.aborted) throw errors.interrupted();
      const expected = Math.max(0, ...samples.map((one) => (one.seconds * words) / one.tokens));
      if (performance.now() + 1e3 * expected > endsAt && samples.length >= 3) continue;
      const sample = await timePrompt(url, model.id, prompt(words, Math.random()), settings.signal);
      samples.push(sample);
      settings.onProgress({
        stage: `${name} prefill`,
        done: samples.length,
        total: PASSES * lengths.length,
        note: `${sample.tokens} tokens in ${formatSeconds(sample.seconds)}`,
      });
    }
  }
  return samples;
}

/** One token of a completion. @throws EvicpressError also where the server does not count the prompt. */
async function timePrompt(
  url: string,
  model: string,
  text: string,
  signal: AbortSignal,
): Promise<PrefillSample> {
  const { ttftSeconds: seconds, promptTokens: tokens } = await streamAnswer(
    url,
    model,
    text,
    { max_tokens: 1 },
    signal,
  );
  if (tokens !== undefined) return { tokens, seconds };
  throw new EvicpressError(
    `${url} does not count the tokens of a prompt. Is it a server that knows stream_options.include_usage?`,
  );
}

const SYLLABLES = ['ba', 'do', 'fi', 'ku', 'le', 'mo', 'na', 'pe', 'ri', 'so', 'tu', 'va'];

/** Words of no meaning, others for every seed from the first on. */
function prompt(words: number, seed: number): string {
  let state = Math.floor(seed * 2 ** 32) >>> 0 || 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return SYLLABLES[(state >>> 16) % SYLLABLES.length]!;
  };
  return Array.from({ length: words }, () => next() + next()).join(' ');
}

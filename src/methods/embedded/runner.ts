import { EvicpressError, printable } from '../../errors.js';
import { cacheFolder } from '../../formats/cache-folder.js';
import type { OnProgress } from '../../progress.js';
import { seededRandom } from '../../random.js';
import { fullBytes } from '../compressions/cache.js';
import { findCompression } from '../compressions/index.js';
import { contextFeatures } from '../features.js';
import type { LongContexts, MethodCatalog, PreparedContext, ProfiledContext, Runner } from '../runner.js';
import { compareAnswers, freeAnswers, type Questions, referenceAnswers, select } from './answers.js';
import { type Decoder, openDecoder } from './decoder.js';
import { type EmbeddedModels, ensureModels } from './models.js';
import { sample } from './sampling.js';
import { openSentenceEncoder } from './sentence-encoder.js';

/** What SmolLM2's chat template puts before the context and after the query. */
const BEFORE_CONTEXT =
  '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\n';
const AFTER_QUERY = '<|im_end|>\n<|im_start|>assistant\n';
/** How free the model is when it thinks up questions; greedy decoding would ask the same one again and again. */
const TEMPERATURE = 0.8;
const QUESTION_TOKENS = 48;
const END_TOKENS = ['<|im_end|>', '<|endoftext|>'];

/** The methods of the embedded runner, known without opening it. */
export const embeddedCatalog: MethodCatalog = {
  fixedRatio: (method) => findCompression(method).fixedRatio,
  smallestRatio: (method) => findCompression(method).smallestRatio ?? 0,
};

/**
 * Opens the embedded runner: SmolLM2-135M-Instruct in this process, downloaded and built on first use.
 * @throws ModelsUnavailableError when it cannot be had here.
 */
export async function openEmbeddedRunner(
  longContexts: LongContexts,
  onProgress: OnProgress,
): Promise<Runner> {
  const models = await ensureModels(cacheFolder(), onProgress);
  onProgress({ stage: 'loading the model', done: 0, total: 0 });
  const decoder = await openDecoder(models);
  return {
    name: 'embedded',
    model: decoder.name,
    kvDtype: 'bf16',
    ...embeddedCatalog,
    prepare: (context, maxAnswerTokens) => prepare(decoder, context, maxAnswerTokens, longContexts),
    ask: (text, requests, seed) => ask(decoder, text, requests, seed),
    similarity: await openSimilarity(models),
    close: async () => undefined,
  };
}

async function prepare(
  decoder: Decoder,
  { context, text, queries }: ProfiledContext,
  maxAnswerTokens: number,
  longContexts: LongContexts,
): Promise<PreparedContext> {
  const { tokenizer, shape } = decoder;
  const allIds = tokenizer.encode(BEFORE_CONTEXT + text);
  const queryIds = queries.map((query) => tokenizer.encode(query + AFTER_QUERY));
  const room = shape.window - maxAnswerTokens - Math.max(...queryIds.map((ids) => ids.length));
  if (room < 1) {
    throw new EvicpressError(
      `Context "${printable(context)}": its longest query and an answer of ${maxAnswerTokens} tokens leave nothing of the model's window of ${shape.window} tokens. Shorten the query, or the answers with --answer-tokens.`,
    );
  }
  if (allIds.length > room && longContexts === 'refuse') {
    throw new EvicpressError(
      `Context "${printable(context)}" has ${allIds.length} tokens; ${room} fit into the model's window of ${shape.window} beside the query and its answer. Shorten it, or let it be cut with --long-contexts cut.`,
    );
  }
  const ids = allIds.slice(0, room);
  const startedAt = performance.now();
  const cache = await decoder.prefill(ids);
  const prefillSeconds = (performance.now() - startedAt) / 1000;
  const questions: Questions = {
    ids: queryIds,
    contextTokens: ids.length,
    maxAnswerTokens,
    endTokens: ends(decoder),
  };
  const reference = await referenceAnswers(decoder, decoder.prefix(cache), questions);
  return {
    tokens: ids.length,
    fullBytes: fullBytes(cache),
    cutTokens: allIds.length - ids.length,
    prefillSeconds,
    features: contextFeatures(cache),
    referenceAnswers: reference.answers.map((answer) => tokenizer.decode(answer)),
    async measure({ method, compressionRatio }, { queries: places, answer } = {}) {
      const compression = findCompression(method);
      const beforeCompress = performance.now();
      const compressed = compression.compress(cache, compressionRatio);
      const beforeDecompress = performance.now();
      const restored = compressed.decompress();
      const afterDecompress = performance.now();
      const [asked, expected] =
        places === undefined ? [questions, reference] : select(questions, reference, places);
      const candidate = await compareAnswers(decoder, decoder.prefix(restored), asked, expected, answer);
      return {
        storedBytes: compressed.storedBytes,
        compressSeconds: (beforeDecompress - beforeCompress) / 1000 + (compressed.reusedSeconds ?? 0),
        decompressSeconds: (afterDecompress - beforeDecompress) / 1000,
        answers: candidate.answers.map((answer) => tokenizer.decode(answer)),
        tokenAgreement: candidate.tokenAgreement,
        klDivergence: candidate.klDivergence,
      };
    },
  };
}

/** Lets the model answer requests about a text with some freedom: that is how a context gets queries. */
async function ask(
  decoder: Decoder,
  text: string,
  requests: readonly string[],
  seed: number,
): Promise<readonly string[]> {
  const { tokenizer, shape } = decoder;
  const ids = requests.map((request) => tokenizer.encode(request + AFTER_QUERY));
  const room = shape.window - QUESTION_TOKENS - Math.max(...ids.map((each) => each.length));
  const context = tokenizer.encode(BEFORE_CONTEXT + text).slice(0, room);
  const cache = await decoder.prefill(context);
  const questions = {
    ids,
    contextTokens: context.length,
    maxAnswerTokens: QUESTION_TOKENS,
    endTokens: ends(decoder),
  };
  const random = seededRandom(seed);
  const choose = (logits: Float32Array) => sample(logits, TEMPERATURE, random());
  const answers = await freeAnswers(decoder, decoder.prefix(cache), questions, choose);
  return answers.map((answer) => tokenizer.decode(answer));
}

function ends({ tokenizer }: Decoder): number[] {
  return END_TOKENS.map((token) => tokenizer.encode(token)[0]!);
}

/**
 * Opens the measure of how alike two answers are: the cosine of their MiniLM embeddings.
 */
export async function openSimilarity(models: EmbeddedModels): Promise<Runner['similarity']> {
  const encode = await openSentenceEncoder(models);
  return async (reference, candidate) => {
    if (reference === candidate) return 1;
    const [a, b] = await encode([reference, candidate]);
    let product = 0;
    for (let i = 0; i < a!.length; i++) product += a![i]! * b![i]!;
    return Math.min(1, Math.max(0, product));
  };
}

import type { Decoder, Past, Prefix } from './decoder.js';
import { klDivergence, probabilities, type ReferenceDistribution } from './distributions.js';

/** Passes over a reference answer until it no longer changes; one is enough where kernels ignore the batch shape. */
const MAX_REFERENCE_PASSES = 4;

/** The questions put to one context. */
export interface Questions {
  /** Tokens of every query, with what the chat format puts around it. */
  readonly ids: readonly (readonly number[])[];
  /** Tokens of the uncompressed context: queries start at this position whatever was dropped. */
  readonly contextTokens: number;
  readonly maxAnswerTokens: number;
  readonly endTokens: readonly number[];
}

/** The answers from the full cache, and the distributions behind every one of their tokens. */
export interface Reference {
  readonly answers: readonly (readonly number[])[];
  readonly distributions: readonly (readonly ReferenceDistribution[])[];
}

/** What a compressed cache makes of the same queries. */
export interface Candidate {
  readonly answers: readonly (readonly number[])[];
  /** Per query the share of the reference's tokens that would be chosen again, given those before it. */
  readonly tokenAgreement: readonly number[];
  /** Per query the mean divergence KL(full ‖ compressed) of the next-token distributions, in nats. */
  readonly klDivergence: readonly number[];
}

/**
 * Answers the queries greedily from the full cache. The answers are then read back teacher-forced, the way
 * candidates are (see {@link compareAnswers}), and corrected where that chooses differently, until they stay.
 */
export async function referenceAnswers(
  decoder: Decoder,
  prefix: Prefix,
  questions: Questions,
): Promise<Reference> {
  let answers: readonly (readonly number[])[] = questions.ids.map(() => []);
  let forced = await forceAnswers(decoder, prefix, questions, answers);
  for (let pass = 0; pass <= MAX_REFERENCE_PASSES; pass++) {
    const corrected = await correctAnswers(decoder, prefix, questions, answers, forced);
    if (corrected === answers) break;
    answers = corrected;
    forced = await forceAnswers(decoder, prefix, questions, answers);
  }
  return {
    answers,
    distributions: answers.map((answer, row) => answer.map((_, i) => probabilities(forced.logits(row, i)))),
  };
}

/**
 * Reads the reference answers from a compressed cache in one pass, which gives agreement and divergence; where
 * the choice first differs, the compressed cache goes its own way and the answer is continued greedily from
 * there. What agrees need not be decoded again: greedy decoding would have chosen the same tokens.
 * @param answer false: only read, write no answers.
 */
export async function compareAnswers(
  decoder: Decoder,
  prefix: Prefix,
  questions: Questions,
  reference: Reference,
  answer = true,
): Promise<Candidate> {
  const forced = await forceAnswers(decoder, prefix, questions, reference.answers);
  const perQuery = reference.answers.map((answer, row) => {
    let agreed = 0;
    let divergence = 0;
    answer.forEach((token, i) => {
      if (forced.choice(row, i) === token) agreed++;
      divergence += klDivergence(reference.distributions[row]![i]!, forced.logits(row, i));
    });
    return { agreement: agreed / answer.length, divergence: divergence / answer.length };
  });
  return {
    answers: answer ? await correctAnswers(decoder, prefix, questions, reference.answers, forced) : [],
    tokenAgreement: perQuery.map(({ agreement }) => agreement),
    klDivergence: perQuery.map(({ divergence }) => divergence),
  };
}

/** Answers written with some freedom instead of greedily. @param choose takes logits to a token. */
export async function freeAnswers(
  decoder: Decoder,
  prefix: Prefix,
  questions: Questions,
  choose: Choose,
): Promise<readonly (readonly number[])[]> {
  const nothing = questions.ids.map(() => []);
  const forced = await forceAnswers(decoder, prefix, questions, nothing);
  return correctAnswers(decoder, prefix, questions, nothing, forced, choose);
}

/** Takes the logits of the next token to the token. */
export type Choose = (logits: Float32Array) => number;

/** The questions at these places, and what belongs to them. */
export function select(
  questions: Questions,
  { answers, distributions }: Reference,
  places: readonly number[],
): [Questions, Reference] {
  const pick = <T>(list: readonly T[]) => places.map((place) => list[place]!);
  return [
    { ...questions, ids: pick(questions.ids) },
    { answers: pick(answers), distributions: pick(distributions) },
  ];
}

/** One pass over queries and given answers: what the model would say at every place of the answers. */
interface Forced {
  readonly past: Past;
  readonly mask: readonly (readonly number[])[];
  /** Logits for token `i` of row `row`'s answer, given the tokens before it. */
  logits(row: number, i: number): Float32Array;
  choice(row: number, i: number): number;
}

async function forceAnswers(
  decoder: Decoder,
  prefix: Prefix,
  { ids, contextTokens }: Questions,
  answers: readonly (readonly number[])[],
): Promise<Forced> {
  const rows = ids.map((query, row) => [...query, ...answers[row]!]);
  const length = Math.max(...rows.map((row) => row.length));
  const places = Math.max(1, ...answers.map((answer) => answer.length));
  const padded = rows.map((row) => [...row, ...new Array<number>(length - row.length).fill(0)]);
  const mask = rows.map((row) => Array.from({ length }, (_, i) => (i < row.length ? 1 : 0)));
  const { logits, past } = await decoder.forward({
    prefix,
    ids: padded,
    positions: padded.map((row) => row.map((_, i) => contextTokens + i)),
    mask,
    wanted: ids.map((query) =>
      Array.from({ length: places }, (_, i) => Math.min(query.length - 1 + i, length - 1)),
    ),
  });
  const { vocabulary } = decoder.shape;
  const at = (row: number, i: number) => {
    const start = (row * places + i) * vocabulary;
    return logits.subarray(start, start + vocabulary);
  };
  return { past, mask, logits: at, choice: (row, i) => indexOfLargest(at(row, i)) };
}

/**
 * The greedy answers, given that `forced` has read `answers`: each is kept up to the first token the model would
 * not choose and continued from there. Returns `answers` itself where nothing changes.
 */
async function correctAnswers(
  decoder: Decoder,
  prefix: Prefix,
  questions: Questions,
  answers: readonly (readonly number[])[],
  forced: Forced,
  choose: Choose = indexOfLargest,
): Promise<readonly (readonly number[])[]> {
  const { ids, contextTokens, maxAnswerTokens, endTokens } = questions;
  const result = answers.map((answer, row) => {
    const differs = answer.findIndex((token, i) => forced.choice(row, i) !== token);
    if (differs >= 0) return [...answer.slice(0, differs), forced.choice(row, differs)];
    return answer.length === 0 ? [choose(forced.logits(row, 0))] : [...answer];
  });
  const isOpen = (answer: readonly number[]) =>
    answer.length < maxAnswerTokens && !endTokens.includes(answer.at(-1)!);
  const changed = result.flatMap((answer, row) => (sameTokens(answer, answers[row]!) ? [] : [row]));
  if (changed.length === 0) return answers;

  let rows = changed.filter((row) => isOpen(result[row]!));
  // Own tokens read so far are visible up to the place where the answers part.
  const mask = new Map(
    rows.map((row) => [
      row,
      forced.mask[row]!.map((_, i) => (i < ids[row]!.length + result[row]!.length - 1 ? 1 : 0)),
    ]),
  );
  let past = rows.length > 0 ? decoder.selectRows(forced.past, rows) : forced.past;
  while (rows.length > 0) {
    for (const row of rows) mask.get(row)!.push(1);
    const output = await decoder.forward({
      prefix,
      past,
      ids: rows.map((row) => [result[row]!.at(-1)!]),
      positions: rows.map((row) => [contextTokens + ids[row]!.length + result[row]!.length - 1]),
      mask: rows.map((row) => mask.get(row)!),
      wanted: rows.map(() => [0]),
    });
    const { vocabulary } = decoder.shape;
    rows.forEach((row, i) => {
      result[row]!.push(choose(output.logits.subarray(i * vocabulary, (i + 1) * vocabulary)));
    });
    const stillOpen = rows.flatMap((row, i) => (isOpen(result[row]!) ? [i] : []));
    past = stillOpen.length === rows.length ? output.past : decoder.selectRows(output.past, stillOpen);
    rows = stillOpen.map((i) => rows[i]!);
  }
  return result;
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i]);
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

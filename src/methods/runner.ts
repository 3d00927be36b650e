import { EvicpressError } from '../errors.js';

/** A context to be profiled: its text and the questions put to it. */
export interface ProfiledContext {
  readonly context: string;
  readonly class?: string;
  readonly text: string;
  readonly queries: readonly string[];
  /** Per query what is right, in one or several wordings. */
  readonly answers?: readonly (string | readonly string[])[];
}

/** One point to measure. */
export interface Configuration {
  readonly method: string;
  readonly compressionRatio: number;
}

/** What a runner reports of one configuration; arrays are per query, in the order of the queries. */
export interface Measurement {
  readonly storedBytes: number;
  readonly compressSeconds: number;
  readonly decompressSeconds: number;
  readonly answers: readonly string[];
  readonly tokenAgreement: readonly number[];
  readonly klDivergence: readonly number[];
  /** Real time to the first token, where a server was asked. */
  readonly ttftSeconds?: readonly number[];
  /** The same from the full cache. */
  readonly fullTtftSeconds?: readonly number[];
}

/** How much of a measurement is wanted. */
export interface Wanted {
  /** Which queries, by their place; all of them if not given. */
  readonly queries?: readonly number[];
  /** False: only the teacher-forced measures, at a fraction of the cost; `answers` stays empty. */
  readonly answer?: boolean;
}

/** A context prefilled once: every configuration works on a copy of its cache. */
export interface PreparedContext {
  readonly tokens: number;
  readonly fullBytes: number;
  /** Tokens cut off because the context is longer than the model's window. */
  readonly cutTokens: number;
  readonly prefillSeconds: number;
  /** The answers from the full cache, one per query. */
  readonly referenceAnswers: readonly string[];
  /** What the prefill shows of the context's keys and attention, by name; see features.ts. */
  readonly features?: Readonly<Record<string, number>>;
  /** @throws EvicpressError when the method cannot be used on this context. */
  measure(configuration: Configuration, wanted?: Wanted): Promise<Measurement>;
  /** Several at once, where that costs less than one after the other; a runner's `together` says how many. What
   *  cannot be measured is a ContextFailure in its place. */
  measureTogether?(
    configurations: readonly Configuration[],
    wanted?: Wanted,
  ): Promise<readonly (Measurement | ContextFailure)[]>;
}

/** What to do with a context that does not fit into the model's window. */
export type LongContexts = 'cut' | 'refuse';

/** Which ratios a method takes. Both functions throw an EvicpressError on a name they do not know. */
export interface MethodCatalog {
  /** The ratio of a method that has only one (a quantizer), undefined for one that takes any. */
  fixedRatio(method: string): number | undefined;
  /** The smallest ratio of a method that takes a range: a combination removes at least what its quantizer does. */
  smallestRatio(method: string): number;
}

/** Runs a model: in this process, in a Python worker, or behind a server. */
export interface Runner extends MethodCatalog {
  readonly name: 'embedded' | 'kvpress' | 'openai';
  readonly model: string;
  /** The type of the uncompressed cache's numbers. */
  readonly kvDtype: string;
  /** How many contexts it can work on at once; 1 if not given. */
  readonly lanes?: number;
  /** How many configurations of a context it measures best at once; 1 if not given. */
  readonly together?: number;
  /** @param lane which of its lanes the context is for. */
  prepare(context: ProfiledContext, maxAnswerTokens: number, lane?: number): Promise<PreparedContext>;
  /** What the model writes, with some freedom, when it is asked these things about a text. */
  ask?(text: string, requests: readonly string[], seed: number, lane?: number): Promise<readonly string[]>;
  /** How alike two texts are: cosine of their sentence embeddings, from 0 (or less, set to 0) to 1. */
  similarity(reference: string, candidate: string): Promise<number>;
  close(): Promise<void>;
}

/** What a runner throws when a context or configuration cannot be measured; the run goes on without it. */
export class ContextFailure extends EvicpressError {}

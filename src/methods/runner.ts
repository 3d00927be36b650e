/** A context to be profiled: its text and the questions put to it. */
export interface ProfiledContext {
  readonly context: string;
  readonly class?: string;
  readonly text: string;
  readonly queries: readonly string[];
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
  /** @throws EvicpressError when the method cannot be used on this context. */
  measure(configuration: Configuration): Promise<Measurement>;
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
  prepare(context: ProfiledContext, maxAnswerTokens: number): Promise<PreparedContext>;
  /** How alike two texts are: cosine of their sentence embeddings, from 0 (or less, set to 0) to 1. */
  similarity(reference: string, candidate: string): Promise<number>;
  close(): Promise<void>;
}

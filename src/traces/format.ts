import type { Named } from '../registry.js';
import type { TraceBuilder } from './builder.js';
import type { Reuse } from './trace.js';

/** Reads one log, line by line, into a builder. */
export interface LineParser {
  /**
   * Reads the line `bytes[start .. end)` (without its newline) and ends its request, if it holds one.
   * @returns what is wrong with the line, or undefined where nothing is.
   */
  line(bytes: Buffer, start: number, end: number): string | undefined;
  /** Reads the lines of a plain shape, where the format has one: most of a long log. */
  readonly plain?: PlainLines;
  /** Tokens of a full block, known at the end; 0 for documents. */
  blockTokens(): number;
}

/** Requests as they stand in a log, in columns: ids are those of the log. */
export interface PlainRequests {
  /** Request r has the ids `ids[idOffsets[r] .. idOffsets[r + 1])`. */
  readonly ids: Int32Array;
  readonly idOffsets: Int32Array;
  readonly timestampSeconds: Float64Array;
  readonly inputTokens: Int32Array;
  readonly outputTokens: Int32Array;
}

/** Lines that are read without any text or object, and mean the same whatever line came before. */
export interface PlainLines {
  /** Lines of these bytes, whose last one is a newline, come next. */
  begin(bytes: Buffer): void;
  /**
   * Reads the line that begins at a place in the bytes, and ends its request.
   * @returns where its newline stands; −1 where it is not of the plain shape, and nothing was read.
   */
  line(start: number): number;
  /** Takes requests that another thread has read from such lines. */
  take(requests: PlainRequests): void;
}

/** What the user may say about a log that does not say it itself. */
export interface FormatOptions {
  /** Tokens of a full block, where given. */
  readonly blockTokens?: number;
  /** The log is followed, over restarts of its engine: what holds for all of a log may change on the way. */
  readonly mayChange?: boolean;
}

/** A request-log format: one file, one line in the list of index.ts. */
export interface TraceFormat extends Named {
  readonly reuse: Reuse;
  /** Whether a log whose first line is this is of this format. */
  sniff(firstLine: string): boolean;
  /** A parser that fills the builder. */
  parse(builder: TraceBuilder, options: FormatOptions): LineParser;
}

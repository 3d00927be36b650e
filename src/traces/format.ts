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
  /** Tokens of a full block, known at the end; 0 for documents. */
  blockTokens(): number;
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

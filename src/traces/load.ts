import { EvicpressError, errors } from '../errors.js';
import { pick } from '../registry.js';
import { TraceBuilder } from './builder.js';
import { TraceCache } from './cache.js';
import type { FormatOptions, LineParser, TraceFormat } from './format.js';
import { formats } from './index.js';
import { firstLineOf, readLineBatches } from './lines.js';
import type { Trace } from './trace.js';

const NEWLINE = 10;

export interface LoadOptions extends FormatOptions {
  /** Name of the format; recognised by content where it is left out. */
  readonly format?: string;
  /** Count lines that do not parse instead of refusing the log. */
  readonly skipBad?: boolean;
  /** Folder for parsed logs, so that the second reading skips parsing; none without it. */
  readonly cacheFolder?: string;
}

/**
 * Reads a request log, plain or compressed, streaming.
 * @throws EvicpressError on a missing, empty, damaged or unrecognised log, and on the first line that does
 *   not parse, with its number, unless `skipBad` is set.
 */
export async function loadTrace(path: string, options: LoadOptions = {}): Promise<Trace> {
  if (options.cacheFolder === undefined) return parseTrace(path, options);
  const cache = new TraceCache(options.cacheFolder);
  const entry = await cache.entryOf(path, options);
  if (entry === undefined) return parseTrace(path, options);
  const cached = await cache.read(entry);
  if (cached !== undefined) return cached;
  const trace = await parseTrace(path, options);
  await cache.write(entry, trace);
  return trace;
}

async function parseTrace(path: string, options: LoadOptions): Promise<Trace> {
  const format =
    options.format === undefined ? await recognise(path) : pick('log format', formats, options.format);
  const builder = new TraceBuilder(format.reuse);
  const parser = format.parse(builder, options);
  const skipped = { lines: 0, first: '' };
  for await (const { bytes, firstLine } of readLineBatches(path)) {
    parseBatch(parser, builder, bytes, firstLine, (line, fault) => {
      if (options.skipBad !== true)
        throw errors.badFile(path, line, `${fault} Pass --skip-bad to leave such lines out.`);
      if (skipped.lines++ === 0) skipped.first = `line ${line}: ${fault}`;
    });
  }
  if (skipped.lines > 0)
    builder.warnings.push(`${skipped.lines} lines were skipped, the first: ${skipped.first}`);
  if (builder.requests === 0) throw errors.emptyFile(path, 'at least one request');
  return builder.finish(parser.blockTokens());
}

async function recognise(path: string): Promise<TraceFormat> {
  const firstLine = await firstLineOf(path);
  const found = formats.find((format) => format.sniff(firstLine));
  if (found !== undefined) return found;
  throw new EvicpressError(
    `${path}:1: this is no request log we know. Name its format with --format (${formats.map((format) => format.name).join(', ')}), or see docs/formats.md for their forms.`,
  );
}

function parseBatch(
  parser: LineParser,
  builder: TraceBuilder,
  bytes: Buffer,
  firstLine: number,
  onFault: (line: number, fault: string) => void,
): void {
  let line = firstLine;
  let start = 0;
  while (start < bytes.length) {
    let end = bytes.indexOf(NEWLINE, start);
    if (end === -1) end = bytes.length;
    if (!isBlank(bytes, start, end)) {
      const fault = parser.line(bytes, start, end);
      if (fault !== undefined) {
        builder.abandon();
        onFault(line, fault);
      }
    }
    start = end + 1;
    line++;
  }
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 32) return false;
  return true;
}

import { EvicpressError, errors, printable } from '../../errors.js';
import { pick } from '../../registry.js';
import { BlockSizeGuess } from '../../traces/block-size.js';
import { type RequestFields, TraceBuilder } from '../../traces/builder.js';
import type { LineParser, TraceFormat } from '../../traces/format.js';
import { formats } from '../../traces/index.js';
import { firstLineOf } from '../../traces/lines.js';
import type { Trace } from '../../traces/trace.js';
import type { LogClock } from './log-clock.js';
import type { NewLines } from './log-reader.js';

const NEWLINE = 10;
/** Labels are names, not texts: what is longer is cut, so that a hostile log cannot swell the state. */
const MAX_LABEL = 256;

/** What a batch of a log's lines holds. */
export interface RecordedBatch {
  /** A request each, in our native form, with its newline. */
  readonly requests: readonly string[];
  readonly bad: number;
  /** Where and what the first bad line is. */
  readonly firstFault: string | undefined;
}

/** How a log is to be read; the format is recognised where it is not named. */
export interface RecorderOptions {
  readonly format?: string;
  readonly blockTokens?: number;
}

/** The format of a log. @throws EvicpressError where it is not recognised, or the name is unknown. */
export async function formatOf(path: string, name: string | undefined): Promise<TraceFormat> {
  if (name !== undefined) return pick('log format', formats, name);
  const firstLine = await firstLineOf(path);
  const found = formats.find((format) => format.sniff(firstLine));
  if (found !== undefined) return found;
  throw new EvicpressError(
    `${printable(path)}:1: this is no request log we know. Name its format with --format (${formats.map((format) => format.name).join(', ')}).`,
  );
}

/**
 * Turns the lines of a log, of whatever format, into requests in our native form: block ids, lengths, labels and
 * the log's own clock, and nothing of any text.
 */
export class Recorder {
  private readonly sink: RequestSink;
  private readonly parser: LineParser;
  private started = false;

  /** @param clock counts the log's time, over all its files. */
  constructor(
    readonly format: TraceFormat,
    options: RecorderOptions,
    clock: LogClock,
  ) {
    this.sink = new RequestSink(format.reuse, clock);
    this.parser = format.parse(this.sink, {
      mayChange: true,
      ...(options.blockTokens === undefined ? {} : { blockTokens: options.blockTokens }),
    });
  }

  /** Tokens of a full block, as far as the lines so far tell; 0 for documents. */
  get blockTokens(): number {
    return this.parser.blockTokens();
  }

  /** Where the block ids are an engine's own keys. */
  get engineKeys(): Trace['engineKeys'] {
    return this.sink.engineKeys;
  }

  /** Another block size than the log had before, by what the lines say or by their lengths; else undefined. */
  otherBlockTokens(before: number): number | undefined {
    if (this.sink.reuse === 'documents' || before === 0 || this.sink.requests === 0) return undefined;
    const said = this.engineKeys?.chunkSize;
    if (said !== undefined) return said === before ? undefined : said;
    return this.sink.sizes.otherThan(before);
  }

  /**
   * Reads a batch of lines of one file. A line that does not parse is counted and left out.
   * @param firstLine of the file, for formats whose first line says what the others mean; needed where the first
   *   batch does not begin with it.
   */
  read({ path, bytes, firstLine, fromBytes, overlong }: NewLines, fileHeader?: Buffer): RecordedBatch {
    if (!this.started && fromBytes > 0 && fileHeader !== undefined) this.showHeader(fileHeader);
    this.started = true;
    let bad = overlong;
    let firstFault =
      overlong === 0 ? undefined : `${printable(path)}:${firstLine}: a line before this one is too long.`;
    let line = firstLine;
    for (let start = 0; start < bytes.length; line++) {
      let end = bytes.indexOf(NEWLINE, start);
      if (end === -1) end = bytes.length;
      const from = firstVisible(bytes, start, end);
      if (from < end) {
        const fault = this.parser.line(bytes, from, end);
        if (fault !== undefined) {
          this.sink.abandon();
          bad++;
          firstFault ??= errors.badFile(path, line, fault).message;
        }
      }
      start = end + 1;
    }
    return { requests: this.sink.drain(), bad, firstFault };
  }

  private showHeader(fileHeader: Buffer): void {
    const end = fileHeader.indexOf(NEWLINE);
    if (end < 0) return;
    this.sink.muted = true;
    this.parser.line(fileHeader, 0, end);
    this.sink.abandon();
    this.sink.muted = false;
  }
}

/** Past blanks, and past the zero bytes that truncation of an open log leaves in front of its next line. */
function firstVisible(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! <= 32) at++;
  return at;
}

/** Takes a parser's requests one by one, instead of collecting them in columns. */
class RequestSink extends TraceBuilder {
  /** Requests are taken note of by the parser only. */
  muted = false;
  readonly sizes = new BlockSizeGuess();
  private blocksOfRequest: number[] = [];
  private documentTokens: number[] = [];
  private lines: string[] = [];

  constructor(
    reuse: TraceFormat['reuse'],
    private readonly clock: LogClock,
  ) {
    super(reuse);
  }

  override push(block: number): void {
    this.blocksOfRequest.push(block);
  }

  override pushIds(ids: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) this.push(this.ids.ofNumber(ids[i]!));
  }

  override pushDocument(block: number, tokens: number): void {
    this.blocksOfRequest.push(block);
    this.documentTokens.push(tokens);
  }

  override get pending(): number {
    return this.blocksOfRequest.length;
  }

  override abandon(): void {
    this.blocksOfRequest = [];
    this.documentTokens = [];
  }

  override endRequest(fields: RequestFields): void {
    if (!this.muted) this.lines.push(this.lineOf(fields));
    this.sizes.see(fields.inputTokens, this.pending);
    this.requests++;
    this.abandon();
  }

  drain(): string[] {
    const { lines } = this;
    this.lines = [];
    return lines;
  }

  private lineOf(fields: RequestFields): string {
    const ids = this.blocksOfRequest.map((block) => this.ids.toText(block));
    const content =
      this.reuse === 'documents'
        ? { documents: ids.map((context, i) => ({ context, tokens: this.documentTokens[i] ?? 0 })) }
        : { hash_ids: ids.map(numberWherePossible) };
    return `${JSON.stringify({
      timestamp: Math.round(this.clock.tick(fields.timestampSeconds) * 1000),
      input_length: fields.inputTokens,
      output_length: fields.outputTokens,
      ...content,
      ...labels(fields),
    })}\n`;
  }
}

/** The reader of our native form takes whole numbers much faster than texts. */
function numberWherePossible(id: string): number | string {
  return /^(?:0|[1-9]\d{0,14})$/.test(id) ? Number(id) : id;
}

function labels(fields: RequestFields): Record<string, string> {
  const known: Record<string, string> = {};
  for (const name of ['class', 'session', 'tenant'] as const) {
    const value = fields[name];
    if (value !== undefined) known[name] = value.slice(0, MAX_LABEL);
  }
  return known;
}

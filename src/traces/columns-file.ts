import { crc32 } from 'node:zlib';
import { type Column, sharedColumn } from './column.js';
import { blocksOf, type Spans, spansOf, withSpans } from './spans.js';
import { type Trace, withBlockIds } from './trace.js';

/** Changes with the layout below and with what a parser makes of a log: older files are then read no more. */
export const COLUMNS_VERSION = 6;

const MAGIC = 'evicpress.columns';
const ALIGNMENT = 8;
/** What stands before the header: its length and its checksum, 4 bytes each. */
const PREFIX = 8;

/**
 * The columns of a trace, in the order in which they lie in the file. Blocks lie there in spans, a few bytes for many
 * of them; spans of documents have no first blocks, being the documents. Only documents have lengths of their own; ids
 * that are small whole numbers lie in `smallIdNumbers`, others in `idNumbers`, and those that are their own dense
 * numbers nowhere. Without labels there is no column of them.
 */
const COLUMNS = [
  ['timestampSeconds', Float64Array],
  ['spanOffsets', Float64Array],
  ['idNumbers', Float64Array],
  ['smallIdNumbers', Int32Array],
  ['inputTokens', Int32Array],
  ['outputTokens', Int32Array],
  ['spans', Int32Array],
  ['firstBlock', Int32Array],
  ['tokensOfBlock', Int32Array],
  ['classOf', Int32Array],
  ['sessionOf', Int32Array],
  ['tenantOf', Int32Array],
] as const;

type FiledColumns = {
  readonly [Pair in (typeof COLUMNS)[number] as Pair[0]]: Pair[1] extends Float64ArrayConstructor
    ? Float64Array
    : Int32Array;
};
type Small = Pick<
  Trace,
  'reuse' | 'requests' | 'blockTokens' | 'classes' | 'sessions' | 'tenants' | 'warnings' | 'engineKeys'
>;

interface Header extends Small {
  readonly magic: string;
  readonly version: number;
  readonly idCount: number;
  readonly idTexts: readonly string[];
  /** Blocks of all requests together. */
  readonly blockCount: number;
  readonly chained: boolean;
  readonly lengths: Readonly<Record<keyof FiledColumns, number>>;
  readonly crc: number;
}

/**
 * A trace as bytes: the header's length and checksum (4 bytes each), the header as JSON (all that is not a column,
 * and a checksum of the columns), then each column from a multiple of 8 bytes on.
 */
export function columnsToBytes(trace: Trace): Buffer[] {
  const filed = filedColumns(trace);
  const columns = COLUMNS.map(([name]) => bytesOf(filed[name]));
  const header: Header = {
    magic: MAGIC,
    version: COLUMNS_VERSION,
    reuse: trace.reuse,
    requests: trace.requests,
    blockTokens: trace.blockTokens,
    classes: trace.classes,
    sessions: trace.sessions,
    tenants: trace.tenants,
    warnings: trace.warnings,
    ...(trace.engineKeys === undefined ? {} : { engineKeys: trace.engineKeys }),
    idCount: trace.ids.count,
    idTexts: trace.ids.texts,
    blockCount: trace.blocks.length,
    chained: spansOf(trace).chained,
    lengths: Object.fromEntries(COLUMNS.map(([name]) => [name, filed[name].length])) as Header['lengths'],
    crc: columns.reduce((crc, bytes) => checksum(bytes, crc), 0),
  };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32LE(text.length);
  prefix.writeUInt32LE(crc32(text), 4);
  const pieces: Buffer[] = [prefix, text, Buffer.alloc(padding(text.length))];
  for (const column of columns) pieces.push(column, Buffer.alloc(padding(column.length)));
  return pieces;
}

function filedColumns(trace: Trace): FiledColumns {
  const { numbers } = trace.ids;
  const { offsets, spans, firstBlock } = spansOf(trace);
  const none = new Int32Array(0);
  return {
    timestampSeconds: trace.timestampSeconds,
    spanOffsets: offsets,
    idNumbers: numbers instanceof Float64Array ? numbers : new Float64Array(0),
    smallIdNumbers: numbers instanceof Int32Array ? numbers : none,
    inputTokens: trace.inputTokens,
    outputTokens: trace.outputTokens,
    spans,
    firstBlock: trace.reuse === 'documents' ? none : firstBlock,
    tokensOfBlock: trace.blockTokens > 0 ? none : trace.tokensOfBlock,
    classOf: trace.classes.length > 0 ? trace.classOf : none,
    sessionOf: trace.sessions.length > 0 ? trace.sessionOf : none,
    tenantOf: trace.tenants.length > 0 ? trace.tenantOf : none,
  };
}

/** The trace that such bytes hold; undefined where they are torn, damaged or of another version. */
export function traceFromColumns(bytes: Uint8Array): Trace | undefined {
  const header = headerOf(bytes);
  if (header === undefined) return undefined;
  let at = header.end;
  let crc = 0;
  const columns: Partial<Record<keyof FiledColumns, Column>> = {};
  for (const [name, Kind] of COLUMNS) {
    const length = header.value.lengths[name];
    const size = length * Kind.BYTES_PER_ELEMENT;
    if (!(size >= 0) || at + size > bytes.length) return undefined;
    crc = checksum(bytes.subarray(at, at + size), crc);
    columns[name] = new Kind(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, length);
    at += size + padding(size);
  }
  if (crc !== header.value.crc || at !== bytes.length) return undefined;
  return traceOf(header.value, columns as FiledColumns);
}

function traceOf(
  { magic, version, lengths, crc, idCount, idTexts, blockCount, chained, ...small }: Header,
  filed: FiledColumns,
): Trace {
  const { timestampSeconds, inputTokens, outputTokens } = filed;
  const { requests, blockTokens, classes, sessions, tenants } = small;
  const spans: Spans = {
    offsets: filed.spanOffsets,
    spans: filed.spans,
    firstBlock: filed.firstBlock,
    chained,
  };
  const documents = small.reuse === 'documents';
  const numbers = [filed.smallIdNumbers, filed.idNumbers].find((column) => column.length > 0);
  const labels = (column: Int32Array, names: readonly string[]) =>
    names.length > 0 ? column : sharedColumn(Int32Array, requests).fill(-1);
  const trace = withBlockIds({
    ...small,
    timestampSeconds,
    inputTokens,
    outputTokens,
    ...(documents ? { blocks: filed.spans, blockOffsets: filed.spanOffsets } : blocksOf(spans, blockCount)),
    tokensOfBlock:
      blockTokens > 0 ? sharedColumn(Int32Array, idCount).fill(blockTokens) : filed.tokensOfBlock,
    ids: { count: idCount, ...(numbers !== undefined && { numbers }), texts: idTexts },
    classOf: labels(filed.classOf, classes),
    sessionOf: labels(filed.sessionOf, sessions),
    tenantOf: labels(filed.tenantOf, tenants),
  });
  return documents ? trace : withSpans(trace, spans);
}

function headerOf(bytes: Uint8Array): { value: Header; end: number } | undefined {
  if (bytes.length < PREFIX) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = PREFIX + buffer.readUInt32LE(0);
  const text = buffer.subarray(PREFIX, end);
  // A file of zeros would have the right checksum.
  if (end === PREFIX || end > bytes.length || crc32(text) !== buffer.readUInt32LE(4)) return undefined;
  const value = JSON.parse(text.toString('utf8')) as Header;
  if (value.magic !== MAGIC || value.version !== COLUMNS_VERSION) return undefined;
  return { value, end: end + padding(end) };
}

/** The checksum so far with more bytes; of none, zlib starts anew. */
function checksum(bytes: Uint8Array, crc: number): number {
  return bytes.length === 0 ? crc : crc32(bytes, crc);
}

function bytesOf(column: Column): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}

function padding(size: number): number {
  return (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;
}

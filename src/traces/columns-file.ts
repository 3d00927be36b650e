import { crc32 } from 'node:zlib';
import { sharedColumn } from './share.js';
import { type Trace, withBlockIds } from './trace.js';

/** Changes with the layout below and with what a parser makes of a log: older files are then read no more. */
export const COLUMNS_VERSION = 6;

const MAGIC = 'evicpress.columns';
const ALIGNMENT = 8;
/** What stands before the header: its length and its checksum, 4 bytes each. */
const PREFIX = 8;

/**
 * The columns of a trace, in the order in which they lie in the file. Only documents have lengths of their own;
 * ids that are small whole numbers lie in `smallIdNumbers`, others in `idNumbers`, and those that are their own dense
 * numbers nowhere.
 */
const COLUMNS = [
  ['timestampSeconds', Float64Array],
  ['blockOffsets', Float64Array],
  ['idNumbers', Float64Array],
  ['smallIdNumbers', Int32Array],
  ['inputTokens', Int32Array],
  ['outputTokens', Int32Array],
  ['blocks', Int32Array],
  ['tokensOfBlock', Int32Array],
  ['classOf', Int32Array],
  ['sessionOf', Int32Array],
  ['tenantOf', Int32Array],
] as const;

type ColumnName = (typeof COLUMNS)[number][0];
type Small = Pick<
  Trace,
  'reuse' | 'requests' | 'blockTokens' | 'classes' | 'sessions' | 'tenants' | 'warnings' | 'engineKeys'
>;

interface Header extends Small {
  readonly magic: string;
  readonly version: number;
  readonly idCount: number;
  readonly idTexts: readonly string[];
  readonly lengths: Readonly<Record<ColumnName, number>>;
  readonly crc: number;
}

/**
 * A trace as bytes: the header's length and checksum (4 bytes each), the header as JSON (all that is not a column,
 * and a checksum of the columns), then each column from a multiple of 8 bytes on.
 */
export function columnsToBytes(trace: Trace): Buffer[] {
  const columns: Buffer[] = COLUMNS.map(([name]) => bytesOf(columnOf(trace, name)));
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
    lengths: Object.fromEntries(
      COLUMNS.map(([name]) => [name, columnOf(trace, name).length]),
    ) as Header['lengths'],
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

/** The trace that such bytes hold; undefined where they are torn, damaged or of another version. */
export function traceFromColumns(bytes: Uint8Array): Trace | undefined {
  const header = headerOf(bytes);
  if (header === undefined) return undefined;
  let at = header.end;
  let crc = 0;
  const columns = {} as Record<ColumnName, Float64Array | Int32Array>;
  for (const [name, Kind] of COLUMNS) {
    const length = header.value.lengths[name];
    const size = length * Kind.BYTES_PER_ELEMENT;
    if (!(size >= 0) || at + size > bytes.length) return undefined;
    crc = checksum(bytes.subarray(at, at + size), crc);
    columns[name] = new Kind(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, length);
    at += size + padding(size);
  }
  if (crc !== header.value.crc || at !== bytes.length) return undefined;
  const { magic, version, lengths, crc: _, idCount, idTexts, ...small } = header.value;
  const { idNumbers, smallIdNumbers, ...rest } = columns;
  const numbers = [smallIdNumbers, idNumbers].find((column) => column.length > 0);
  if (small.blockTokens > 0) rest.tokensOfBlock = sharedColumn(Int32Array, idCount).fill(small.blockTokens);
  return withBlockIds({
    ...small,
    ...(rest as unknown as Pick<Trace, Exclude<ColumnName, 'idNumbers' | 'smallIdNumbers'>>),
    ids: { count: idCount, ...(numbers !== undefined && { numbers }), texts: idTexts },
  });
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

function columnOf(trace: Trace, name: ColumnName): Float64Array | Int32Array {
  const { numbers } = trace.ids;
  if (name === 'idNumbers') return numbers instanceof Float64Array ? numbers : new Float64Array(0);
  if (name === 'smallIdNumbers') return numbers instanceof Int32Array ? numbers : new Int32Array(0);
  if (name === 'tokensOfBlock' && trace.blockTokens > 0) return new Int32Array(0);
  return trace[name];
}

/** The checksum so far with more bytes; of none, zlib starts anew. */
function checksum(bytes: Uint8Array, crc: number): number {
  return bytes.length === 0 ? crc : crc32(bytes, crc);
}

function bytesOf(column: Float64Array | Int32Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}

function padding(size: number): number {
  return (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;
}

import { printable } from '../errors.js';
import type { TraceFormat } from './format.js';
import { isObject, isTime, jsonLine, parsedLine, shown, wholeNumber } from './json-line.js';
import type { EngineKeySpace } from './trace.js';

/**
 * What LMCache's server writes with `--lookup-hash-log-dir`: one lookup a line, `timestamp` in seconds,
 * `seq_len`, `chunk_size` and the chunks' chained hashes. Blocks are LMCache's chunks under its own names, so a
 * plan made from such a log needs no text. Answers are not in it: output lengths are 0.
 */
export const lmcache: TraceFormat = {
  name: 'lmcache',
  reuse: 'prefix',
  sniff(firstLine) {
    const value = jsonLine(firstLine);
    return isObject(value) && Array.isArray(value.chunk_hashes) && 'seq_len' in value;
  },
  parse(builder, { mayChange = false }) {
    let chunkTokens = 0;
    const seen = new RecentLookups();
    return {
      line(bytes, start, end) {
        const value = parsedLine(bytes, start, end, EXPECTED);
        if (typeof value === 'string') return value;
        const fault = lookupFault(value, mayChange ? 0 : chunkTokens);
        if (fault !== undefined) return fault;
        chunkTokens = value.chunk_size as number;
        builder.engineKeys = keySpaceOf(value, chunkTokens);
        const hashes = value.chunk_hashes as string[];
        if (seen.has(value.request_id, hashes)) return undefined;
        for (const hash of hashes) builder.push(builder.ids.ofText(hash));
        builder.endRequest({
          timestampSeconds: value.timestamp as number,
          inputTokens: value.seq_len as number,
          outputTokens: 0,
        });
        return undefined;
      },
      blockTokens: () => chunkTokens,
    };
  },
};

const EXPECTED = 'expected an object with seq_len, chunk_size and chunk_hashes.';
/** As many requests are under way at once at most, or wait with them. */
const REMEMBERED_REQUESTS = 4096;

/**
 * The requests looked up last. One whose load failed is looked up again when the engine tries it anew, with the lookups
 * of others between; it is still one request. A client may give one id to several requests: their chunks tell them
 * apart.
 */
class RecentLookups {
  /** The last chunk's hash, which stands for all before it, by request; the oldest first. */
  private readonly lastHashes = new Map<string, string | undefined>();

  /** Whether this one was among them; it is from now on. */
  has(request: unknown, hashes: readonly string[]): boolean {
    if (typeof request !== 'string' || request === '') return false;
    const last = hashes.at(-1);
    if (this.lastHashes.has(request) && this.lastHashes.get(request) === last) return true;
    this.lastHashes.delete(request);
    this.lastHashes.set(request, last);
    if (this.lastHashes.size > REMEMBERED_REQUESTS)
      this.lastHashes.delete(this.lastHashes.keys().next().value!);
    return false;
  }
}

/** `dtypes` and `shapes` are those of a chunk's tensors on one rank; what is odd about them is left out. */
function keySpaceOf(value: Record<string, unknown>, chunkSize: number): EngineKeySpace {
  const { model_name: model, dtypes, shapes } = value;
  const bytes = bytesOf(dtypes, shapes);
  return {
    engine: 'lmcache',
    chunkSize,
    ...(typeof model === 'string' && { model: printable(model) }),
    ...(bytes !== undefined && {
      layout: printable(JSON.stringify([dtypes, shapes]), 1000),
      bytesPerToken: bytes / chunkSize,
    }),
  };
}

const BITS = /(?:float|int|bfloat|complex)(\d+)/;

function bytesOf(dtypes: unknown, shapes: unknown): number | undefined {
  if (!Array.isArray(dtypes) || !Array.isArray(shapes) || dtypes.length !== shapes.length) return undefined;
  const bytes = shapes.map((shape: unknown, i) => {
    const bits = Number(BITS.exec(String(dtypes[i]))?.[1]);
    const sizes = Array.isArray(shape) ? (shape as unknown[]) : [Number.NaN];
    return sizes.reduce<number>((product, size) => product * Number(size), bits / 8);
  });
  const sum = bytes.reduce((total, some) => total + some, 0);
  return sum > 0 && Number.isFinite(sum) ? sum : undefined;
}

function lookupFault(value: Record<string, unknown>, chunkTokens: number): string | undefined {
  const { timestamp, chunk_size: size, chunk_hashes: hashes } = value;
  if (!isTime(timestamp)) return `timestamp: expected seconds ≥ 0 (got ${shown(timestamp)}).`;
  const fault = wholeNumber('seq_len', value.seq_len) ?? wholeNumber('chunk_size', size);
  if (fault !== undefined) return fault;
  if (size === 0) return 'chunk_size: expected at least 1 token.';
  if (chunkTokens !== 0 && size !== chunkTokens)
    return `chunk_size: ${shown(size)} after ${chunkTokens}; a plan is for one chunk size.`;
  if (!Array.isArray(hashes)) return `chunk_hashes: expected a list (got ${shown(hashes)}).`;
  const wrong = hashes.findIndex((hash) => typeof hash !== 'string' || !/^0x[0-9a-f]+$/i.test(hash));
  return wrong === -1
    ? undefined
    : `chunk_hashes[${wrong}]: expected a hash such as "0x1f2e" (got ${shown(hashes[wrong])}).`;
}

import { printable } from '../errors.js';
import type { TraceFormat } from './format.js';
import { isObject, isTime, jsonLine, shown, wholeNumber } from './json-line.js';
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
    let previousRequest: unknown;
    return {
      line(bytes, start, end) {
        const value = jsonLine(bytes.toString('utf8', start, end));
        if (value instanceof Error) return `not valid JSON (${printable(value.message, 120)}).`;
        if (!isObject(value)) return 'expected an object with seq_len, chunk_size and chunk_hashes.';
        const fault = lookupFault(value, mayChange ? 0 : chunkTokens);
        if (fault !== undefined) return fault;
        chunkTokens = value.chunk_size as number;
        builder.engineKeys = keySpaceOf(value, chunkTokens);
        // A request that has to wait is looked up again; it is still one request.
        if (value.request_id !== undefined && value.request_id === previousRequest) return undefined;
        previousRequest = value.request_id;
        for (const hash of value.chunk_hashes as string[]) builder.push(builder.ids.ofText(hash));
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

import { parentPort, workerData } from 'node:worker_threads';
import { readWholeLines } from '../formats/line-batches.js';
import type { RequestFields } from './builder.js';
import type { PlainRequests } from './format.js';
import { type IdSink, MooncakeScanner } from './mooncake-scanner.js';
import type { ScanAssignment, ScannedRequests } from './scan-ahead.js';

const NEWLINE = 10;
/** No plain request takes fewer bytes. */
const SHORTEST_LINE = 64;

/** The requests of one batch of lines, ids as they stand in the log. */
class RequestColumns implements IdSink {
  /** Whether there was an id that may take more than 32 bits. */
  hasLongId = false;
  count = 0;
  private idCount = 0;
  private ids = new Int32Array(0);
  private idOffsets = new Int32Array(0);
  private times = new Float64Array(0);
  private input = new Int32Array(0);
  private output = new Int32Array(0);

  /** Forgets the last batch, and makes room for one of so many bytes: no more ids than every second, and short lines. */
  begin(bytes: number): void {
    this.hasLongId = false;
    this.count = 0;
    this.idCount = 0;
    if (bytes <= 2 * this.ids.length) return;
    const most = Math.ceil(bytes / SHORTEST_LINE) + 1;
    this.ids = new Int32Array(Math.ceil(bytes / 2));
    this.idOffsets = new Int32Array(most + 1);
    this.times = new Float64Array(most);
    this.input = new Int32Array(most);
    this.output = new Int32Array(most);
  }

  pushIds(ids: Int32Array, from: number, to: number): void {
    const { ids: column } = this;
    let count = this.idCount;
    for (let i = from; i < to; i++) column[count++] = ids[i]!;
    this.idCount = count;
  }

  pushDigits(): void {
    this.hasLongId = true;
  }

  endRequest({ timestampSeconds, inputTokens, outputTokens }: RequestFields): void {
    const r = this.count++;
    this.times[r] = timestampSeconds;
    this.input[r] = inputTokens;
    this.output[r] = outputTokens;
    this.idOffsets[this.count] = this.idCount;
  }

  /** Copies of the columns as far as they are filled, without what a line that did not end has pushed. */
  filled(): PlainRequests {
    return {
      ids: this.ids.slice(0, this.idOffsets[this.count]!),
      idOffsets: this.idOffsets.slice(0, this.count + 1),
      timestampSeconds: this.times.slice(0, this.count),
      inputTokens: this.input.slice(0, this.count),
      outputTokens: this.output.slice(0, this.count),
    };
  }
}

/** A thread that scans the end of a log as far as its lines are plain and their ids short. */
async function scanFrom({ path, fd, from }: ScanAssignment): Promise<void> {
  const columns = new RequestColumns();
  const scanner = new MooncakeScanner(columns);
  let to = from;
  for await (const bytes of readWholeLines(path, { lines: 0 }, { fd, from })) {
    if (bytes[bytes.length - 1] !== NEWLINE) return;
    columns.begin(bytes.length);
    scanner.begin(bytes);
    let start = 0;
    while (start < bytes.length) {
      const end = scanner.scan(start);
      if (end === -1 || columns.hasLongId) break;
      columns.endRequest(scanner.fields);
      start = end + 1;
    }
    to += start;
    const requests = columns.filled();
    const message: ScannedRequests = { requests, to };
    parentPort!.postMessage(
      message,
      Object.values(requests).map((column) => column.buffer as ArrayBuffer),
    );
    if (start < bytes.length) return;
  }
}

await scanFrom(workerData as ScanAssignment);

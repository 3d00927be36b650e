import { isList, LIST_NOT_LINES } from '../../formats/schema.js';
import { TraceBuilder } from '../../traces/builder.js';
import { formats } from '../../traces/index.js';
import { readLogBatches } from '../../traces/lines.js';
import type { Faults } from './faults.js';

/** A request log, by the parser of its format: every line that does not parse. */
export async function checkLog(path: string, faults: Faults): Promise<string> {
  let parse: ((bytes: Buffer, start: number, end: number) => string | undefined) | undefined;
  let builder: TraceBuilder | undefined;
  let kind = 'unknown';
  for await (const { bytes, firstLine } of readLogBatches(path)) {
    let line = firstLine;
    for (let start = 0; start < bytes.length; line++) {
      const newline = bytes.indexOf(10, start);
      const end = newline < 0 ? bytes.length : newline;
      const text = parse === undefined ? bytes.toString('utf8', start, end) : undefined;
      if (parse === undefined && text!.trim() !== '') {
        const format = formats.find((entry) => entry.sniff(text!));
        if (format === undefined) {
          const isOther = !isList(text!);
          faults.add(isOther ? 'this is no file of ours and no request log we know.' : LIST_NOT_LINES, line);
          return kind;
        }
        kind = `${format.name} log`;
        builder = new TraceBuilder(format.reuse);
        const parser = format.parse(builder, {});
        parse = (...range) => parser.line(...range);
      }
      if (parse !== undefined && bytes.subarray(start, end).some((byte) => byte > 32)) {
        const fault = parse(bytes, start, end);
        if (fault !== undefined) {
          builder!.abandon();
          faults.add(fault, line);
        }
      }
      start = end + 1;
    }
  }
  return kind;
}

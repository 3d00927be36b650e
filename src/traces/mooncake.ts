import { BlockSizeGuess } from './block-size.js';
import type { RequestFields, TraceBuilder } from './builder.js';
import { exactIds } from './exact-ids.js';
import type { PlainLines, TraceFormat } from './format.js';
import { isObject, isTime, jsonLine, optionalText, parsedLine, shown, wholeNumber } from './json-line.js';
import { MooncakeScanner } from './mooncake-scanner.js';

/**
 * Mooncake JSONL, our native form: `timestamp` in ms, `input_length`, `output_length`, `hash_ids` chained by
 * prefix; optional `class`, `session`, `tenant`; also the variants with `session_id` and `delay`. The plain shape of the published logs is scanned byte by
 * byte; anything else goes through JSON.parse, which also says what is wrong with a line.
 */
export const mooncake: TraceFormat = {
  name: 'mooncake',
  reuse: 'prefix',
  sniff(firstLine) {
    const value = jsonLine(firstLine);
    return isObject(value) && Array.isArray(value.hash_ids) && 'input_length' in value;
  },
  parse(builder, options) {
    const scanner = new MooncakeScanner(builder);
    const guess = new BlockSizeGuess(options.blockTokens);
    const clock = new SessionClock();
    let begun: Buffer | undefined;
    /** Where the line begins that was last found not to be plain: `line` need not try once more. */
    let refusedAt = -1;
    const plain: PlainLines = {
      begin(bytes) {
        if (bytes === begun) return;
        begun = bytes;
        refusedAt = -1;
        scanner.begin(bytes);
      },
      line(start) {
        const end = scanner.scan(start);
        if (end === -1) {
          builder.abandon();
          refusedAt = start;
        } else endRequest(scanner.fields);
        return end;
      },
      take(requests) {
        const { idOffsets, inputTokens } = requests;
        builder.addRequests(requests);
        for (let r = 0; r < inputTokens.length; r++)
          guess.see(inputTokens[r]!, idOffsets[r + 1]! - idOffsets[r]!);
      },
    };
    const endRequest = (fields: RequestFields) => {
      guess.see(fields.inputTokens, builder.pending);
      builder.endRequest(fields);
    };
    return {
      plain,
      line(bytes, start, end) {
        plain.begin(bytes);
        const mayBePlain = end < bytes.length && start !== refusedAt;
        if (mayBePlain && plain.line(start) === end) return undefined;
        return readCarefully(builder, guess, clock, bytes, start, end);
      },
      blockTokens: () => guess.blockTokens(builder.warnings),
    };
  },
};

const EXPECTED = 'expected an object such as {"timestamp": 0, "input_length": 512, "hash_ids": [1]}.';

function readCarefully(
  builder: TraceBuilder,
  guess: BlockSizeGuess,
  clock: SessionClock,
  bytes: Buffer,
  start: number,
  end: number,
): string | undefined {
  const value = parsedLine(bytes, start, end, EXPECTED);
  if (typeof value === 'string') return value;
  const fault = requestFault(value);
  if (fault !== undefined) return fault;
  const ids = value.hash_ids as (number | string)[];
  for (const id of exactIds(ids, () => bytes.toString('utf8', start, end))) builder.push(builder.ids.of(id));
  const fields: RequestFields = {
    timestampSeconds: clock.secondsOf(value),
    inputTokens: value.input_length as number,
    outputTokens: (value.output_length as number | undefined) ?? 0,
    class: value.class as string | undefined,
    session: (value.session ?? value.session_id) as string | undefined,
    tenant: value.tenant as string | undefined,
  };
  guess.see(fields.inputTokens, builder.pending);
  builder.endRequest(fields);
  return undefined;
}

function requestFault(value: Record<string, unknown>): string | undefined {
  const { timestamp, hash_ids: ids } = value;
  const followsItsSession = timestamp === undefined && value.session_id !== undefined;
  if (!followsItsSession && !isTime(timestamp))
    return `timestamp: expected milliseconds ≥ 0 (got ${shown(timestamp)}).`;
  const lengthFault =
    wholeNumber('input_length', value.input_length) ??
    (value.output_length === undefined ? undefined : wholeNumber('output_length', value.output_length));
  if (lengthFault !== undefined) return lengthFault;
  if (!Array.isArray(ids)) return `hash_ids: expected a list of block ids (got ${shown(ids)}).`;
  const wrong = ids.findIndex((id) =>
    typeof id === 'number' ? !Number.isInteger(id) : typeof id !== 'string' || id === '',
  );
  if (wrong !== -1) return `hash_ids[${wrong}]: expected a whole number or text (got ${shown(ids[wrong])}).`;
  return (
    optionalText('class', value.class) ??
    optionalText('session', value.session) ??
    optionalText('session_id', value.session_id) ??
    optionalText('tenant', value.tenant)
  );
}

/** Variants with `session_id` and `delay` give later turns no time stamp: ms after the turn before. */
class SessionClock {
  private readonly lastOf = new Map<unknown, number>();

  secondsOf({ timestamp, session_id: session, delay }: Record<string, unknown>): number {
    const milliseconds =
      typeof timestamp === 'number'
        ? timestamp
        : (this.lastOf.get(session) ?? 0) + (isTime(delay) ? delay : 0);
    if (session !== undefined) this.lastOf.set(session, milliseconds);
    return milliseconds / 1000;
  }
}

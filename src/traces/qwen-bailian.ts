import { prefixId } from './chain.js';
import { exactIds } from './exact-ids.js';
import type { TraceFormat } from './format.js';
import {
  isObject,
  jsonLine,
  optionalText,
  parsedLine,
  shown,
  timestampFault,
  wholeNumber,
} from './json-line.js';

/** The published traces hash blocks of 16 tokens. */
const BLOCK_TOKENS = 16;

/**
 * Qwen-Bailian usage traces: `chat_id`, `parent_chat_id`, `timestamp` (s), `input_length`, `output_length`,
 * `type`, `turn`, `hash_ids`. Their ids name a block's content alone; here they are chained by prefix, because
 * a KV cache is good only behind the same prefix. `type` becomes the class, the first chat of a chain the session.
 */
export const qwenBailian: TraceFormat = {
  name: 'qwen-bailian',
  reuse: 'prefix',
  sniff(firstLine) {
    const value = jsonLine(firstLine);
    return isObject(value) && Array.isArray(value.hash_ids) && 'chat_id' in value;
  },
  parse(builder, options) {
    const sessionOf = new Map<string, string>();
    return {
      line(bytes, start, end) {
        const value = parsedLine(bytes, start, end);
        if (typeof value === 'string') return value;
        const ids = value.hash_ids;
        const fault =
          chatFault(value.chat_id) ??
          timestampFault(value.timestamp) ??
          wholeNumber('input_length', value.input_length) ??
          (value.output_length === undefined
            ? undefined
            : wholeNumber('output_length', value.output_length)) ??
          optionalText('type', value.type);
        if (fault !== undefined) return fault;
        if (!Array.isArray(ids)) return `hash_ids: expected a list (got ${shown(ids)}).`;
        const wrong = ids.findIndex((id) => typeof id !== 'number' && typeof id !== 'string');
        if (wrong !== -1) return `hash_ids[${wrong}]: expected a number or text (got ${shown(ids[wrong])}).`;
        let prefix = -1;
        for (const id of exactIds(ids as (number | string)[], () => bytes.toString('utf8', start, end))) {
          prefix = prefixId(prefix, id);
          builder.push(builder.ids.ofNumber(prefix));
        }
        const chat = String(value.chat_id);
        const session = sessionOf.get(String(value.parent_chat_id)) ?? chat;
        sessionOf.set(chat, session);
        builder.endRequest({
          timestampSeconds: value.timestamp as number,
          inputTokens: value.input_length as number,
          outputTokens: (value.output_length as number | undefined) ?? 0,
          class: value.type as string | undefined,
          session,
        });
        return undefined;
      },
      blockTokens: () => options.blockTokens ?? BLOCK_TOKENS,
    };
  },
};

/** Without it the line is of another format, whose times and blocks are in other units. */
function chatFault(id: unknown): string | undefined {
  return typeof id === 'number' || typeof id === 'string'
    ? undefined
    : `chat_id: expected a number or text (got ${shown(id)}).`;
}

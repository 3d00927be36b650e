import { createHash } from 'node:crypto';
import type { TraceFormat } from './format.js';
import { isObject, isTime, jsonLine, optionalText, parsedLine, shown } from './json-line.js';

const BLOCK_TOKENS = 16;
/** Characters of English text per token of a usual BPE vocabulary: an estimate, where nobody has counted. */
export const CHARACTERS_PER_TOKEN = 4;

/**
 * Logs of OpenAI-style chat requests with their text: `messages: [{role, content}]`, in the line itself or under
 * `request` or `body`; `timestamp` or `created` in seconds or as a date; `usage` where the answer was logged.
 * Blocks are hashes of the prefix's text, 16 tokens at four characters each: an approximation that keeps which
 * prefixes are equal, and roughly how long they are.
 */
export const openaiChat: TraceFormat = {
  name: 'openai-chat',
  reuse: 'prefix',
  sniff(firstLine) {
    const value = jsonLine(firstLine);
    return isObject(value) && messagesOf(value) !== undefined;
  },
  parse(builder, options) {
    const blockTokens = options.blockTokens ?? BLOCK_TOKENS;
    builder.warnings.push(
      `Tokens are estimated at ${CHARACTERS_PER_TOKEN} characters each: the log has text, and no tokenizer was named.`,
    );
    return {
      line(bytes, start, end) {
        const value = parsedLine(bytes, start, end);
        if (typeof value === 'string') return value;
        const request = chatRequest(value);
        if (typeof request === 'string') return request;
        const text = request.messages
          .map((message) => `<${String(message.role)}>${contentText(message.content)}`)
          .join('\n');
        const characters = blockTokens * CHARACTERS_PER_TOKEN;
        const hash = createHash('sha256');
        for (let at = 0; at + characters <= text.length; at += characters) {
          hash.update(text.slice(at, at + characters));
          builder.push(builder.ids.ofText(hash.copy().digest('base64url').slice(0, 22)));
        }
        const usage = usageOf(value);
        builder.endRequest({
          timestampSeconds: request.seconds,
          inputTokens: Math.max(usage.input ?? 0, Math.ceil(text.length / CHARACTERS_PER_TOKEN)),
          outputTokens: usage.output ?? 0,
          class: value.class as string | undefined,
          session: value.session as string | undefined,
          tenant: (value.tenant ?? value.user) as string | undefined,
        });
        return undefined;
      },
      blockTokens: () => blockTokens,
    };
  },
};

/** What a line says was asked, and when; or what is wrong with it. */
export function chatRequest(
  value: Record<string, unknown>,
): { messages: Record<string, unknown>[]; seconds: number } | string {
  const messages = messagesOf(value);
  if (messages === undefined) return 'messages: expected a list of {"role", "content"}.';
  const seconds = secondsOf(value.timestamp ?? value.created ?? value.time);
  if (seconds === undefined)
    return `timestamp: expected seconds or a date (got ${shown(value.timestamp ?? value.created)}).`;
  const fault =
    optionalText('class', value.class) ??
    optionalText('session', value.session) ??
    optionalText('tenant', value.tenant);
  return fault ?? { messages, seconds };
}

/** The messages of a logged chat request, in the line itself or under `request` or `body`. */
export function messagesOf(value: Record<string, unknown>): Record<string, unknown>[] | undefined {
  for (const holder of [value, value.request, value.body]) {
    if (isObject(holder) && Array.isArray(holder.messages) && holder.messages.every(isObject))
      return holder.messages;
  }
  return undefined;
}

/** A message's text; parts that are not plain text as JSON. */
export function contentText(content: unknown): string {
  return typeof content === 'string' ? content : (JSON.stringify(content) ?? '');
}

function secondsOf(time: unknown): number | undefined {
  if (typeof time === 'number') return isTime(time) ? time : undefined;
  if (typeof time !== 'string') return undefined;
  const milliseconds = Date.parse(time);
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}

function usageOf(value: Record<string, unknown>): { input?: number; output?: number } {
  const response = isObject(value.response) ? value.response : value;
  if (!isObject(response.usage)) return {};
  const { prompt_tokens: input, completion_tokens: output } = response.usage;
  return {
    ...(Number.isInteger(input) && { input: input as number }),
    ...(Number.isInteger(output) && { output: output as number }),
  };
}

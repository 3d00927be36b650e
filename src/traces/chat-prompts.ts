import { isBlank } from '../formats/line-batches.js';
import type { Message } from '../openai-client.js';
import { parsedLine } from './json-line.js';
import { readLogBatches } from './lines.js';
import { formatOf } from './load.js';
import { CHARACTERS_PER_TOKEN, chatRequest, contentText, openaiChat } from './openai-chat.js';

/** A logged request as it can be sent again. */
export interface Conversation {
  readonly messages: readonly Message[];
}

/**
 * The first conversations of a log with text, in the order of its trace.
 * @param format as it was named for the log; recognised by content without it.
 * @param maxTokens longer conversations are cut at their end, by their characters.
 * @returns undefined where the log has no text.
 * @throws EvicpressError where the log cannot be read.
 */
export async function readConversations(
  path: string,
  format: string | undefined,
  count: number,
  maxTokens: number,
): Promise<Conversation[] | undefined> {
  if ((await formatOf(path, format)).name !== openaiChat.name) return undefined;
  let found: { seconds: number; messages: readonly Message[] }[] = [];
  // Array.sort is stable, as the trace's order is: equal times stay in the order of the log.
  const earliest = () => found.sort((a, b) => a.seconds - b.seconds).slice(0, count);
  for await (const { bytes, ends } of readLogBatches(path)) {
    for (let i = 0, start = 0; i < ends.length; start = ends[i]! + 1, i++) {
      if (isBlank(bytes, start, ends[i]!)) continue;
      const value = parsedLine(bytes, start, ends[i]!);
      const request = typeof value === 'string' ? value : chatRequest(value);
      // Lines the trace was read without.
      if (typeof request !== 'string') found.push(request);
    }
    if (found.length > 2 * count) found = earliest();
  }
  return earliest().map(({ messages }) => ({ messages: cut(messages, maxTokens * CHARACTERS_PER_TOKEN) }));
}

/** The messages up to so many characters of text. */
function cut(messages: readonly Message[], characters: number): Message[] {
  const kept: Message[] = [];
  let left = characters;
  for (const message of messages) {
    const text = contentText(message.content);
    if (text.length <= left) kept.push(message);
    else if (left > 0) kept.push({ ...message, content: text.slice(0, left) });
    left -= text.length;
  }
  return kept;
}

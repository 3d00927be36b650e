import { errors } from '../errors.js';
import { readNdjson } from '../formats/files.js';
import { isObject } from '../traces/json-line.js';
import { contentText, messagesOf } from '../traces/openai-chat.js';

/**
 * Reads the queries of a request log with text: lines `{context, query}`, or chat requests with `messages` whose
 * text holds a context's text. What the last user message says beside the context is the query.
 * @param contexts texts by name.
 * @returns queries by context, each once, in the order of the log.
 * @throws EvicpressError with file and line on a line that is neither.
 */
export async function readQueryLog(
  path: string,
  contexts: ReadonlyMap<string, string>,
): Promise<Map<string, string[]>> {
  const found = new Map<string, Set<string>>();
  const add = (context: string, query: string) => {
    const text = query.trim();
    if (text !== '' && contexts.has(context)) found.set(context, (found.get(context) ?? new Set()).add(text));
  };
  await readNdjson(
    path,
    'a log of queries',
    'Lines of {"context", "query"} or chat requests.',
    (value, line) => {
      if (!isObject(value)) throw errors.badFile(path, line, 'expected an object.');
      if (typeof value.context === 'string' && typeof value.query === 'string') {
        add(value.context, value.query);
        return;
      }
      const messages = messagesOf(value);
      if (messages === undefined) {
        if (line === 1 && 'format' in value) return;
        throw errors.badFile(path, line, 'expected {"context", "query"} or a chat request with "messages".');
      }
      const texts = messages.map((message) => contentText(message.content));
      const last = messages.findLastIndex((message) => message.role === 'user');
      if (last < 0) return;
      for (const [context, text] of contexts) {
        if (!texts.some((each) => each.includes(text))) continue;
        add(context, texts[last]!.replace(text, ''));
        return;
      }
    },
  );
  return new Map([...found].map(([context, queries]) => [context, [...queries]]));
}

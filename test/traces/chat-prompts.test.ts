import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConversations } from '../../src/traces/chat-prompts.js';
import { loadTrace } from '../../src/traces/load.js';

const folder = mkdtempSync(join(tmpdir(), 'evicpress-chat-'));
const path = join(folder, 'chat.jsonl');
const asked = (content: string) => [{ role: 'user', content }];
beforeAll(() =>
  writeFileSync(
    path,
    [
      { timestamp: 5, messages: asked('the last') },
      { timestamp: 1, request: { messages: asked('the first, in the form of a proxy') } },
      'no request',
      {
        created: '1970-01-01T00:00:03Z',
        messages: [{ role: 'system', content: 'be brief' }, ...asked('why?')],
      },
      { timestamp: 3, messages: asked('at the same time, one line later') },
    ]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join('\n'),
  ),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('conversations of a log', () => {
  it('come in the order of its trace, without the lines it was read without', async () => {
    const trace = await loadTrace(path, { skipBad: true });
    const conversations = (await readConversations(path, undefined, 10, 100))!;
    const texts = conversations.map(({ messages }) => messages.map(({ content }) => content).join(' '));
    expect(texts).toEqual([
      'the first, in the form of a proxy',
      'be brief why?',
      'at the same time, one line later',
      'the last',
    ]);
    // Four characters a token: `<role>` before each message, a newline between two.
    const lengths = conversations.map(({ messages }) =>
      Math.ceil(messages.map(({ role, content }) => `<${role}>${content}`).join('\n').length / 4),
    );
    expect(lengths).toEqual([...trace.inputTokens]);
  });

  it('are the earliest, also where the log is long and backwards', async () => {
    const long = join(folder, 'long.jsonl');
    const lines = Array.from({ length: 50 }, (_, i) => ({
      timestamp: 50 - i,
      messages: asked(`at ${50 - i}`),
    }));
    writeFileSync(long, lines.map((line) => JSON.stringify(line)).join('\n'));
    const conversations = (await readConversations(long, 'openai-chat', 3, 100))!;
    expect(conversations.map(({ messages }) => messages[0]!.content)).toEqual(['at 1', 'at 2', 'at 3']);
  });

  it('are cut at their end', async () => {
    const conversations = (await readConversations(path, undefined, 2, 3))!;
    expect(conversations[0]!.messages).toEqual(asked('the first, i'));
    expect(conversations[1]!.messages).toEqual([
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'why?' },
    ]);
  });

  it('are none where the log has no text', async () => {
    const other = join(folder, 'other.jsonl');
    writeFileSync(other, '{"timestamp": 0, "input_length": 10, "output_length": 1, "hash_ids": [1]}\n');
    expect(await readConversations(other, undefined, 10, 100)).toBeUndefined();
    // Tables have none, and are not read as lines: they may be binary, or not on this machine.
    expect(await readConversations('s3://bucket/log.parquet', undefined, 10, 100)).toBeUndefined();
  });
});

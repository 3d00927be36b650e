/** A log of each format, request by request: what every reader of logs is tried on. */
export interface SampleLog {
  /** Lines before the first request. */
  readonly head: string;
  /** The line of a request; every third asks for what the one before it asked for. */
  line(number: number): string;
}

const shared = (number: number) => number - (number % 3 === 2 ? 1 : 0);
const json = (value: unknown) => `${JSON.stringify(value)}\n`;
const lines = (of: (number: number) => unknown): SampleLog => ({ head: '', line: (n) => json(of(n)) });

export const sampleLogs: Readonly<Record<string, SampleLog>> = {
  mooncake: lines((n) => ({
    timestamp: 1000 * n,
    input_length: 1000,
    output_length: 3,
    hash_ids: [1, 100 + shared(n)],
    class: 'office',
  })),
  documents: lines((n) => ({
    timestamp: 1000 * n,
    input_length: 900,
    output_length: 5,
    documents: [
      { context: `p${shared(n)}`, tokens: 300 },
      { context: 'all', tokens: 20 },
    ],
  })),
  contexts: lines((n) => ({
    timestamp: n,
    context: `manual ${shared(n)}`,
    inputTokens: 4000,
    outputTokens: 7,
    tenant: 'a',
  })),
  lmcache: lines((n) => ({
    timestamp: 10 + n,
    model_name: 'm',
    chunk_size: 256,
    seq_len: 600,
    chunk_hashes: ['0xab', `0x${(4096 + shared(n)).toString(16)}`],
    request_id: `r${n}`,
  })),
  'qwen-bailian': lines((n) => ({
    chat_id: n,
    parent_chat_id: -1,
    timestamp: n,
    input_length: 40,
    output_length: 1,
    type: 'text',
    turn: 1,
    hash_ids: [7, shared(n), 7],
  })),
  'openai-chat': lines((n) => ({
    timestamp: n,
    messages: [
      { role: 'system', content: 'You answer questions about the harbour. '.repeat(8) },
      { role: 'user', content: `Ferry ${shared(n)} leaves when? `.repeat(8) },
    ],
    usage: { prompt_tokens: 130, completion_tokens: 9 },
  })),
  azure: {
    head: 'TIMESTAMP,ContextTokens,GeneratedTokens\n',
    line: (n) => `2023-11-16 18:15:${10 + (n % 50)}.5000000,${374 + n},44\n`,
  },
  burstgpt: {
    head: 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n',
    line: (n) => `${n},ChatGPT,${472 + n},18,490,Conversation log\n`,
  },
};

/** A sample log of so many requests. */
export function sampleLog(format: string, requests: number): string {
  const { head, line } = sampleLogs[format]!;
  return head + Array.from({ length: requests }, (_, n) => line(n)).join('');
}

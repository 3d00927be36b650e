import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../../src/methods/journal.js';
import { completeQueries, firstQuestion, shuffleQueries } from '../../src/methods/queries.js';
import { readQueryLog } from '../../src/methods/query-log.js';
import { fakeRunner } from './fake-runner.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-queries-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const BARE = { context: 'bare', text: 'a text', queries: [] };

async function complete(answers: (request: string, seed: number) => string, resume = false) {
  const journal = await openJournal(join(folder, 'journal.ndjson'), resume);
  const asked: string[] = [];
  const runner = {
    ...fakeRunner().runner,
    ask: async (_: string, requests: readonly string[], seed: number) => {
      asked.push(...requests);
      return requests.map((request) => answers(request, seed));
    },
  };
  try {
    const contexts = [{ context: 'own', text: 'b', queries: ['q?'] }, BARE];
    const settings = { contexts, queries: 3, heldOut: 1, seed: 5 };
    const silent = { progress: () => undefined, warn: () => undefined };
    const signal = new AbortController().signal;
    return { contexts: await completeQueries(settings, runner, journal, silent, signal), asked };
  } finally {
    await journal.close();
  }
}

describe('queries the model writes', () => {
  it('go to contexts that have none, each once, and are kept for a resumed run', async () => {
    const first = await complete((request, seed) => `1. What of ${request.length} and ${seed}? And so on.`);
    expect(first.contexts[0]!.queries).toEqual(['q?']);
    const { queries } = first.contexts[1]!;
    expect(new Set(queries).size).toBe(4);
    expect(queries.every((query) => /^What of \d+ and \d+\?$/.test(query))).toBe(true);
    const again = await complete(() => 'Something else?', true);
    expect(again.asked).toEqual([]);
    expect(again.contexts).toEqual(first.contexts);
  });

  it('are asked for again while the model repeats itself, and refused where it writes nothing', async () => {
    const same = await complete(() => 'Who is it about?');
    expect(same.contexts[1]!.queries).toEqual(['Who is it about?']);
    expect(same.asked).toHaveLength(4 + 3 + 3);
    await expect(complete(() => '')).rejects.toThrow('Context "bare" has no queries');
  });

  it.each([
    ['- "Who built it?" asks the reader', 'Who built it?'],
    ['Sure:\nWhat year was that? 1999.', 'What year was that?'],
    ['Sum up the first part. Then the rest.', 'Sum up the first part.'],
    ['\n \n', undefined],
  ])('are cleaned: %j', (written, question) => {
    expect(firstQuestion(written)).toBe(question);
  });

  it('keep their answers when shuffled', () => {
    const queries = ['a', 'b', 'c', 'd', 'e'];
    const shuffled = shuffleQueries(
      { ...BARE, queries, answers: queries.map((each) => each.toUpperCase()) },
      3,
    );
    expect(shuffled.queries).not.toEqual(queries);
    expect(shuffled.answers).toEqual(shuffled.queries.map((each) => each.toUpperCase()));
  });
});

describe('queries from a log', () => {
  const contexts = new Map([['doc', 'The whole document.']]);
  const log = (...lines: unknown[]) => {
    const path = join(folder, 'log.jsonl');
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  };

  it('are lines of context and query, or what a chat says beside a context', async () => {
    const path = log(
      { context: 'doc', query: 'First?' },
      { context: 'other', query: 'Not ours?' },
      { messages: [{ role: 'user', content: 'The whole document.\n\nSecond?' }] },
      {
        messages: [
          { role: 'system', content: 'Answer from: The whole document.' },
          { role: 'user', content: 'Third?' },
        ],
      },
      { context: 'doc', query: 'First?' },
    );
    expect(await readQueryLog(path, contexts)).toEqual(new Map([['doc', ['First?', 'Second?', 'Third?']]]));
  });

  it('says which line is neither', async () => {
    await expect(readQueryLog(log({ context: 'doc', query: 'a?' }, { hello: 1 }), contexts)).rejects.toThrow(
      /log\.jsonl:2.*"context", "query"/,
    );
  });
});

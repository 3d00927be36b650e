import { createHash } from 'node:crypto';
import { EvicpressError, errors, printable } from '../errors.js';
import type { OnProgress } from '../progress.js';
import { shuffled } from '../random.js';
import type { Journal } from './journal.js';
import type { ProfiledContext, Runner } from './runner.js';

/** What the model is asked for; one question each, so that they differ. */
const REQUESTS = [
  'Write one short question that can be answered from the text above.',
  'Write one question about a person or a thing in the text above.',
  'Write one question about a number, a date or a place in the text above.',
  'Write one question that asks why something in the text above is so.',
  'Write one question about the end of the text above.',
  'Write one question about the beginning of the text above.',
  'Write one question that asks how something in the text above is done.',
  'Write one request to sum up a part of the text above.',
];

/** How often more questions are asked for before what there is must do. */
const ATTEMPTS = 3;

/** What {@link completeQueries} needs to know of a run. */
export interface QuerySettings {
  readonly contexts: readonly ProfiledContext[];
  /** Queries per context for the profile, and to test it on. */
  readonly queries: number;
  readonly heldOut: number;
  readonly seed: number;
}

/**
 * Gives contexts without queries some: the model writes them, or the journal has those of an earlier run.
 * @throws EvicpressError for a context about which the model has nothing to ask; with exit code 130 when interrupted.
 */
export async function completeQueries(
  { contexts, queries, heldOut, seed }: QuerySettings,
  runner: Runner,
  journal: Journal,
  { progress, warn }: { progress: OnProgress; warn: (text: string) => void },
  signal: AbortSignal,
): Promise<readonly ProfiledContext[]> {
  const lacking = contexts.filter((context) => context.queries.length === 0);
  if (lacking.length === 0) return contexts;
  const known = new Map(journal.written.map((each) => [`${each.context} ${each.inputs}`, each.queries]));
  const written = new Map<string, readonly string[]>();
  for (const [done, { context, text }] of lacking.entries()) {
    if (signal.aborted) throw errors.interrupted('What was measured is kept; go on with --resume.');
    progress({ stage: `${context}: writing queries`, done, total: lacking.length });
    const count = queries + heldOut;
    const content = JSON.stringify([runner.name, runner.model, text, count, seed]);
    const inputs = createHash('sha256').update(content).digest('hex').slice(0, 16);
    const earlier = known.get(`${context} ${inputs}`);
    const own = earlier ?? (await generateQueries(runner, text, count, seed));
    if (own.length === 0) {
      throw new EvicpressError(
        `Context "${printable(context)}" has no queries, and the model wrote none. Give it some questions to be answered from its text.`,
      );
    }
    if (earlier === undefined) await journal.append({ context, inputs, queries: own });
    written.set(context, own);
  }
  warn(
    `${lacking.length} of ${contexts.length} contexts had no queries; the model wrote them (seed ${seed}).`,
  );
  return contexts.map((context) => ({
    ...context,
    queries: written.get(context.context) ?? context.queries,
  }));
}

/**
 * Questions about a text, thought up by the model that is profiled. Lists of what it wrote are cleaned: the first
 * sentence that asks something, each only once.
 * @returns up to `count` questions; fewer where the model keeps repeating itself.
 */
export async function generateQueries(
  runner: Runner,
  text: string,
  count: number,
  seed: number,
): Promise<string[]> {
  const found = new Set<string>();
  for (let attempt = 0; attempt < ATTEMPTS && found.size < count; attempt++) {
    const requests = Array.from(
      { length: count - found.size },
      (_, i) => REQUESTS[(attempt + found.size + i) % REQUESTS.length]!,
    );
    for (const written of await runner.ask!(text, requests, seed + attempt)) {
      const question = firstQuestion(written);
      if (question !== undefined) found.add(question);
    }
  }
  return [...found];
}

/** The first question in a text, without list marks or quotes; else its first sentence. */
export function firstQuestion(text: string): string | undefined {
  const line = text
    .split('\n')
    .map((each) => each.replace(/^[\s\-*"'\d.):]+/, '').trim())
    .find((each) => each.length >= 8);
  if (line === undefined) return undefined;
  return line.match(/^.*?[?]/)?.[0] ?? line.match(/^.*?[.!](?=\s|$)/)?.[0] ?? line;
}

/** The same context with its queries in an order that a seed decides, answers along with them. */
export function shuffleQueries(context: ProfiledContext, seed: number): ProfiledContext {
  const order = shuffled(
    context.queries.map((_, i) => i),
    seed,
  );
  const { answers } = context;
  return {
    ...context,
    queries: order.map((i) => context.queries[i]!),
    ...(answers === undefined ? {} : { answers: order.map((i) => answers[i] ?? '') }),
  };
}

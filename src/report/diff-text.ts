import { printable } from '../errors.js';
import { formatBytes, formatCount, formatCounted, formatSeconds } from '../units.js';

/** The sign in front of a change: added, changed, dropped. */
export const CHANGE_SIGNS = {
  add: '+',
  move: '~',
  recompress: '~',
  'make-whole': '~',
  resize: '~',
  drop: '-',
} as const;

const CHANGE_WORDS = {
  add: 'store',
  move: 'move',
  recompress: 'compress',
  'make-whole': 'prefill anew',
  resize: 'resize',
  drop: 'drop',
} as const;

type ChangeName = keyof typeof CHANGE_SIGNS;

/** Contexts that change in the same way. */
export interface ChangeSum {
  readonly change: ChangeName;
  readonly from: string;
  readonly to: string;
  readonly contexts: number;
  readonly bytes: number;
}

/** One context's change. */
export interface ContextChange {
  readonly change: ChangeName;
  readonly context: string;
  readonly from: string;
  readonly to: string;
  /** Bytes written for it; for a drop those freed. */
  readonly bytes: number;
}

/** Bytes that go from one tier to another. */
export interface TierPair {
  readonly from: string;
  readonly to: string;
  readonly contexts: number;
  readonly bytes: number;
}

/** Changes by kind and place, as head and rows of a table. */
export function changesTable(changes: readonly ChangeSum[]): [string[], string[][]] {
  return [
    ['change', 'from', 'to', 'contexts', 'bytes'],
    changes.map(({ change, from, to, contexts, bytes }) => [
      `${CHANGE_SIGNS[change]} ${CHANGE_WORDS[change]}`,
      printable(from),
      printable(to),
      formatCount(contexts),
      formatBytes(bytes),
    ]),
  ];
}

/** What goes from tier to tier, as head and rows of a table. */
export function pairsTable(pairs: readonly TierPair[]): [string[], string[][]] {
  return [
    ['bytes moved', 'to', 'contexts', 'bytes'],
    pairs.map(({ from, to, contexts, bytes }) => [
      printable(from),
      printable(to),
      formatCount(contexts),
      formatBytes(bytes),
    ]),
  ];
}

/** One context's change as a line: `~ doc-17  dram → ssd int4  1.20 GB`. */
export function changeLine({ change, context, from, to, bytes }: ContextChange): string {
  return `${CHANGE_SIGNS[change]} ${context}  ${from} → ${to}  ${formatBytes(bytes)}`;
}

/** What plans of two models have to do with each other; undefined where they are of one, or do not say. */
export function otherModelSentence(before: string | null, after: string | null): string | undefined {
  if (before === null || after === null || before === after) return undefined;
  return `The plans are for different models, ${printable(before)} and ${printable(after)}: no cache of the one serves the other, and all that the new plan keeps is stored anew.`;
}

/** What a plan's summary promises. */
export interface Promised {
  readonly meanTtftSeconds: number;
  readonly meanQuality: number;
}

/** What changes for those who wait: the prediction of either plan, as its planner made it. */
export function promiseSentence(before: Promised, after: Promised): string {
  const [was, is] = [before.meanTtftSeconds, after.meanTtftSeconds];
  const [from, to] = [formatSeconds(was), formatSeconds(is)];
  const ttft = from === to ? `${to}, as before` : `${to} ${is < was ? 'down' : 'up'} from ${from}`;
  const [q, r] = [before.meanQuality.toFixed(4), after.meanQuality.toFixed(4)];
  const quality = q === r ? `${r}, as before` : `${r} ${r > q ? 'up' : 'down'} from ${q}`;
  return `Predicted with it: mean TTFT ${ttft}; mean quality ${quality}.`;
}

/** The whole difference in one sentence. */
export function differenceSentence(changes: readonly ChangeSum[], kept: number): string {
  if (changes.length === 0)
    return `The plans place ${kept === 1 ? 'the one context' : `all ${formatCount(kept)} contexts`} alike.`;
  const part = (sign: string, word: string) => {
    const these = changes.filter(({ change }) => CHANGE_SIGNS[change] === sign);
    const contexts = these.reduce((sum, entry) => sum + entry.contexts, 0);
    const bytes = these.reduce((sum, entry) => sum + entry.bytes, 0);
    return contexts === 0 ? [] : [`${word} ${formatCount(contexts)} (${formatBytes(bytes)})`];
  };
  const parts = [...part('+', 'adds'), ...part('~', 'changes'), ...part('-', 'drops')];
  return `The new plan ${parts.join(', ')}; ${formatCounted(kept, 'context')} ${kept === 1 ? 'stays as it is' : 'stay as they are'}.`;
}

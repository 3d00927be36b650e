import { styleText } from 'node:util';

/** What a colour means; the words beside it say the same, so that nothing is lost without colour. */
const MEANINGS = {
  /** The answer: what a reader in a hurry should read. */
  strong: 'bold',
  /** Rules, units of thought that only frame. */
  faint: 'dim',
  good: 'green',
  notice: 'yellow',
  bad: 'red',
  /** Something to type. */
  command: 'cyan',
} as const;

export type Meaning = keyof typeof MEANINGS;

/** Whether a stream shows colours: a terminal that is not dumb, unless NO_COLOR or FORCE_COLOR say otherwise. */
export function showsColour(
  stream: { readonly isTTY?: boolean } = process.stdout,
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** The text in the colour of its meaning, where the stream shows colours; else the text as it is. */
export function paint(meaning: Meaning, text: string, stream?: { readonly isTTY?: boolean }): string {
  return text !== '' && showsColour(stream) ? styleText(MEANINGS[meaning], text) : text;
}

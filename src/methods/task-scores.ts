/**
 * How right an answer is, by what is given as right: the scores of SQuAD (Rajpurkar et al., arXiv 1606.05250).
 * Case, punctuation and articles do not count; of several right answers the best match does.
 */
export function taskScores(
  answer: string,
  right: string | readonly string[],
): { readonly exactMatch: number; readonly f1: number } {
  const given = words(answer);
  const scores = (typeof right === 'string' ? [right] : right).map((each) => {
    const expected = words(each);
    return { exactMatch: given.join(' ') === expected.join(' ') ? 1 : 0, f1: overlap(given, expected) };
  });
  return {
    exactMatch: Math.max(0, ...scores.map(({ exactMatch }) => exactMatch)),
    f1: Math.max(0, ...scores.map(({ f1 }) => f1)),
  };
}

function words(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[\p{P}\p{S}]/gu, '')
    .replace(/\b(a|an|the)\b/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** Harmonic mean of the shares of words that each side has in common with the other. */
function overlap(given: readonly string[], expected: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of given) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  if (common === 0) return given.length === 0 && expected.length === 0 ? 1 : 0;
  return (2 * common) / (given.length + expected.length);
}

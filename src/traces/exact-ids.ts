/** Longer ids are told apart by their digits, as in plain lines (`DenseIds.ofText`). */
const LARGEST_NUMBER = 1e15 - 1;

/**
 * The ids of a line's `hash_ids`, those of more than 15 digits as text: a double cannot hold a 64-bit hash exactly.
 * @param ids as JSON gives them.
 * @param line the text they come from; asked for only where there is such an id.
 */
export function exactIds(
  ids: readonly (number | string)[],
  line: () => string,
): readonly (number | string)[] {
  if (!ids.some(isLong)) return ids;
  const written = idsAsWritten(line());
  return ids.map((id, i) => (isLong(id) ? digitsOf(id as number, written[i]) : id));
}

function isLong(id: number | string): boolean {
  return typeof id === 'number' && Math.abs(id) > LARGEST_NUMBER && Number.isInteger(id);
}

function idsAsWritten(line: string): string[] {
  const list = /"hash_ids"\s*:\s*\[((?:"(?:[^"\\]|\\.)*"|[^"\]])*)\]/.exec(line)?.[1] ?? '';
  return list.match(/"(?:[^"\\]|\\.)*"|[^",\s]+/g) ?? [];
}

/** A whole number's digits: as written, unless it was written otherwise (`1e16`). */
function digitsOf(id: number, written: string | undefined): string {
  return written !== undefined && /^-?\d+$/.test(written) ? written : BigInt(id).toString();
}

/**
 * What an option of a context is worth in a period (the paper's utility, §3): accesses · (alpha · quality −
 * TTFT), a segment's quality weighted with its share of its requests' tokens.
 * @param alpha seconds of TTFT that one unit of quality is worth.
 */
export function optionUtility(
  accesses: number,
  alpha: number,
  requestShare: number,
  quality: number,
  ttftSeconds: number,
): number {
  return accesses * (alpha * requestShare * quality - ttftSeconds);
}

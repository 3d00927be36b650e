import { randomFrom } from '../support/instances.js';

/** Documents that requests ask about: each a chain of blocks, by popularity. */
export interface Workload {
  readonly documents: number;
  readonly blocksPerDocument: number;
  /** Rank 1 is asked for most; which document has it moves on with `shift`. */
  readonly shift: number;
  /** Added to every block id: another tenant's documents. */
  readonly firstBlock: number;
  readonly class: string;
}

export const OFFICE: Workload = {
  documents: 60,
  blocksPerDocument: 6,
  shift: 0,
  firstBlock: 1,
  class: 'office',
};

/** Request lines, one every `gapSeconds`, Zipf-distributed over the workload's documents. */
export function requestLines(
  workload: Workload,
  count: number,
  { startSeconds = 0, gapSeconds = 2, seed = 1 } = {},
): string {
  const random = randomFrom(seed);
  const weights = Array.from({ length: workload.documents }, (_, rank) => 1 / (rank + 1) ** 1.1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let text = '';
  for (let i = 0; i < count; i++) {
    let at = random() * total;
    let rank = 0;
    for (; rank < weights.length - 1 && at > weights[rank]!; rank++) at -= weights[rank]!;
    const document = (rank + workload.shift) % workload.documents;
    const head = workload.firstBlock + 1000 * document;
    const blocks = Array.from({ length: workload.blocksPerDocument }, (_, b) => head + b);
    const own = 1e9 + seed * 1e6 + i + workload.firstBlock;
    text += `${JSON.stringify({
      timestamp: Math.round(1000 * (startSeconds + i * gapSeconds)),
      input_length: 512 * (blocks.length + 1),
      output_length: 50,
      hash_ids: [...blocks, own],
      class: workload.class,
    })}\n`;
  }
  return text;
}

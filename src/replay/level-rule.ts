/** How a policy that does not choose for itself compresses what it stores. */
export interface LevelRule {
  /** The level of blocks that request r stores. */
  levelFor(request: number): number;
}

/** Everything at one level. */
export function fixedLevel(level: number): LevelRule {
  return { levelFor: () => level };
}

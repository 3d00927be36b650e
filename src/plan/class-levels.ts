/** One way to store a class's contexts. */
export interface ClassForm {
  /** What the caller knows it by. */
  readonly level: number;
  /** storedBytes / fullBytes. */
  readonly bytesFraction: number;
  readonly quality: number;
  /** Seconds to decompress, summed over the class's reuses. */
  readonly decompressSeconds: number;
}

/** What a class asks for in a period. */
export interface ClassDemand {
  /** Requests that reuse something of the class. */
  readonly reuses: number;
  /** Seconds that the class's bytes cost if it were stored whole: the price of its room and its loading time. */
  readonly wholeSeconds: number;
  readonly forms: readonly ClassForm[];
}

/** A class's choice: two levels, and the share of its contexts that gets the second. */
export interface ClassChoice {
  readonly level: number;
  readonly otherLevel: number;
  readonly otherShare: number;
}

/**
 * Chooses a level for every class at a given worth of quality: the largest reuses · alpha · quality − seconds.
 * @param alpha seconds that one unit of one reuse's quality is worth.
 */
export function levelsAtAlpha(classes: readonly ClassDemand[], alpha: number): ClassChoice[] {
  return classes.map((demand) => {
    const level = demand.forms[bestForm(demand, alpha)]!.level;
    return { level, otherLevel: level, otherShare: 0 };
  });
}

/**
 * Chooses the levels that cost the fewest seconds while the mean quality over all reuses is at least
 * `quality`: the smallest alpha that reaches it, by bisection; one class is split between two levels so that
 * the mean is met exactly where it can be. This generalises the class rule, which holds the quality in every
 * class by itself and therefore pays for more bytes.
 */
export function levelsAtQuality(classes: readonly ClassDemand[], quality: number): ClassChoice[] {
  const reuses = classes.reduce((sum, demand) => sum + demand.reuses, 0);
  const asked = quality * reuses;
  const qualityAt = (alpha: number) =>
    classes.reduce((sum, demand) => sum + demand.reuses * demand.forms[bestForm(demand, alpha)]!.quality, 0);
  let low = 0;
  if (qualityAt(low) >= asked) return levelsAtAlpha(classes, low);
  let high = 1;
  while (qualityAt(high) < asked && high < 1e12) high *= 4;
  for (let i = 0; i < 100 && high - low > 1e-12 * high; i++) {
    const middle = (low + high) / 2;
    if (qualityAt(middle) >= asked) high = middle;
    else low = middle;
  }
  return splitOne(classes, low, high, asked);
}

/** Just below `high` the mean is missed, at `high` it is exceeded: moves classes over until it is met. */
function splitOne(classes: readonly ClassDemand[], low: number, high: number, asked: number): ClassChoice[] {
  const below = classes.map((demand) => demand.forms[bestForm(demand, low)]!);
  const above = classes.map((demand) => demand.forms[bestForm(demand, high)]!);
  let missing = asked - classes.reduce((sum, demand, c) => sum + demand.reuses * below[c]!.quality, 0);
  return classes.map((demand, c) => {
    const gain = demand.reuses * (above[c]!.quality - below[c]!.quality);
    const otherShare = gain <= 0 ? 0 : Math.max(0, Math.min(1, missing / gain));
    missing -= otherShare * gain;
    return { level: below[c]!.level, otherLevel: above[c]!.level, otherShare };
  });
}

/** Ties go to the higher quality. */
function bestForm(demand: ClassDemand, alpha: number): number {
  let best = 0;
  let bestWorth = Number.NEGATIVE_INFINITY;
  demand.forms.forEach((form, i) => {
    const worth =
      demand.reuses * alpha * form.quality -
      demand.wholeSeconds * form.bytesFraction -
      form.decompressSeconds;
    const tie = worth === bestWorth && form.quality > demand.forms[best]!.quality;
    if (worth > bestWorth || tie) {
      best = i;
      bestWorth = worth;
    }
  });
  return best;
}

/** An option of one context with its terms. */
export interface ExplainedOption {
  readonly tier: string;
  readonly method: string;
  readonly compressionRatio: number;
  readonly quality: number;
  readonly ttftSeconds: number;
  readonly storedBytes: number;
  /** Seconds per period. */
  readonly utility: number;
  /** What the stored bytes cost at the prices of the limits, in seconds per period. */
  readonly pricePaid: number;
  /** utility − pricePaid: what the options are chosen by. */
  readonly net: number;
  readonly chosen: boolean;
}

/** The value at which the chosen option and its rival are worth the same; absent where no value does that. */
export interface Flips {
  /** Accesses per period. */
  readonly accesses?: number;
  /** Quality of the chosen option, or of the rival where the chosen one is exact. */
  readonly quality?: { readonly of: 'chosen' | 'rival'; readonly value: number };
  /** Price per byte of a tier. */
  readonly price?: { readonly tier: string; readonly value: number };
  /** Bytes of that tier at which it has this price, the other tiers' prices being as they are. */
  readonly capacity?: { readonly tier: string; readonly bytes: number };
}

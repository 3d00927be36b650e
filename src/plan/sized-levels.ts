/** One way to store a context, for every byte it takes uncompressed. */
export interface SizedForm {
  /** What the caller knows it by. */
  readonly level: number;
  readonly quality: number;
  /** Seconds a reuse costs for each uncompressed byte: loading, decompressing, and the price of the room. */
  readonly secondsPerByte: number;
}

/**
 * The forms that are best for some size, the best quality first. At a worth of quality of `alpha` seconds a
 * context of n bytes takes the last form whose `savedPerLoss · n` is at least alpha: what the step down to it
 * saves in seconds for each byte, over what it loses in quality.
 */
export interface SizedForms {
  readonly forms: readonly SizedForm[];
  /** Of each form but the first; falling. Infinity where a step loses no quality. */
  readonly savedPerLoss: readonly number[];
}

/** Leaves only the forms on the upper concave envelope of quality over seconds. */
export function sizedForms(offered: readonly SizedForm[]): SizedForms {
  const sorted = [...offered].sort((a, b) => b.quality - a.quality || a.secondsPerByte - b.secondsPerByte);
  const forms: SizedForm[] = [];
  const slopes: number[] = [];
  for (const form of sorted) {
    if (forms.length > 0 && form.secondsPerByte >= forms.at(-1)!.secondsPerByte) continue;
    let slope = Number.POSITIVE_INFINITY;
    while (forms.length > 0) {
      const before = forms.at(-1)!;
      slope = (before.secondsPerByte - form.secondsPerByte) / (before.quality - form.quality);
      if (forms.length < 2 || slope < slopes.at(-1)!) break;
      forms.pop();
      slopes.pop();
    }
    if (forms.length > 0) slopes.push(slope);
    forms.push(form);
  }
  return { forms, savedPerLoss: slopes };
}

/** The form for a context of so many bytes, where one unit of a reuse's quality is worth `alpha` seconds. */
export function formAt({ forms, savedPerLoss }: SizedForms, alpha: number, bytes: number): SizedForm {
  let at = 0;
  while (at < savedPerLoss.length && savedPerLoss[at]! * bytes >= alpha) at++;
  return forms[at]!;
}

/**
 * The form for a context that will grow: whole as long as that is best for what it is now, since what is whole can
 * be compressed later; else the form for the bytes that its reuses are expected to have.
 */
export function lastingForm(
  forms: SizedForms,
  alpha: number,
  bytes: number,
  expectedBytes: number,
): SizedForm {
  const now = formAt(forms, alpha, bytes);
  return now.level === 0 ? now : formAt(forms, alpha, expectedBytes);
}

/** Sizes of contexts in bins: bytes when their form is chosen, and bytes expected of their reuses. */
export interface SizeBins {
  readonly bytes: Float64Array;
  readonly expectedBytes: Float64Array;
}

/** The reuses of one class, by bin of size. */
export interface SizedDemand {
  readonly forms: SizedForms;
  readonly reuses: Float64Array;
}

/**
 * The least worth of quality, in seconds per unit, at which all reuses together lose no more than `lossAllowed`
 * units of quality: with it the contexts cost the fewest seconds for the quality they have. 0 where no worth is
 * needed, Infinity where nothing may be lost.
 */
export function alphaForLoss(classes: readonly SizedDemand[], bins: SizeBins, lossAllowed: number): number {
  if (lossAllowed <= 0) return Number.POSITIVE_INFINITY;
  if (lossAt(classes, bins, 0) <= lossAllowed) return 0;
  let low = 1e-9;
  let high = 1e9;
  // Halves the logarithm: 40 steps tell alphas apart to a part in 10^10.
  for (let i = 0; i < 40; i++) {
    const middle = Math.sqrt(low * high);
    if (lossAt(classes, bins, middle) <= lossAllowed) high = middle;
    else low = middle;
  }
  return high;
}

function lossAt(classes: readonly SizedDemand[], bins: SizeBins, alpha: number): number {
  let loss = 0;
  for (const { forms, reuses } of classes) {
    for (let bin = 0; bin < reuses.length; bin++) {
      if (reuses[bin] === 0) continue;
      const form = lastingForm(forms, alpha, bins.bytes[bin]!, bins.expectedBytes[bin]!);
      loss += reuses[bin]! * (1 - form.quality);
    }
  }
  return loss;
}

/** A next-token distribution kept for comparison: probabilities and their negative entropy, Σ p · log p. */
export interface ReferenceDistribution {
  readonly probabilities: Float32Array;
  readonly negativeEntropy: number;
}

/** The softmax of logits. */
export function probabilities(logits: Float32Array): ReferenceDistribution {
  const normalizer = logSumExp(logits);
  const result = new Float32Array(logits.length);
  let negativeEntropy = 0;
  for (let i = 0; i < logits.length; i++) {
    const logProbability = logits[i]! - normalizer;
    const probability = Math.exp(logProbability);
    result[i] = probability;
    negativeEntropy += probability * logProbability;
  }
  return { probabilities: result, negativeEntropy };
}

/** KL(reference ‖ softmax(logits)) in nats, ≥ 0. */
export function klDivergence(reference: ReferenceDistribution, logits: Float32Array): number {
  let expected = 0;
  let mass = 0;
  for (let i = 0; i < logits.length; i++) {
    expected += reference.probabilities[i]! * logits[i]!;
    mass += reference.probabilities[i]!;
  }
  // The probabilities were rounded to 32 bits, so they do not sum to 1 exactly.
  return Math.max(0, reference.negativeEntropy - expected + mass * logSumExp(logits));
}

function logSumExp(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - largest);
  return largest + Math.log(sum);
}

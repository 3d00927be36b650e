/** A token drawn from the softmax of logits / temperature. @param point uniform in [0, 1). */
export function sample(logits: Float32Array, temperature: number, point: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp((logit - largest) / temperature);
  let left = point * total;
  for (let token = 0; token < logits.length; token++) {
    left -= Math.exp((logits[token]! - largest) / temperature);
    if (left < 0) return token;
  }
  return logits.length - 1;
}

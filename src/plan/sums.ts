/** Kahan's sum: a million terms of one sign would otherwise lose the last digits of a bound. */
export class KahanSum {
  total = 0;
  private carry = 0;

  add(value: number): void {
    const term = value - this.carry;
    const next = this.total + term;
    this.carry = next - this.total - term;
    this.total = next;
  }
}

/** Steps without gain after which the basis is factored afresh, and after as many again the solve ends. */
const IDLE = 50;

/**
 * The restricted master problem of the dual: the best convex mix of the answers seen so far that keeps every
 * limit. Maximise Σ w_k·utility_k subject to Σ w_k·use_k ≤ limits, Σ w_k = 1, w ≥ 0. Its optimal prices are the
 * next ones to try, its value is what a fractional plan really reaches. A revised simplex over a handful of
 * rows; the basis is factored afresh in every solve.
 */
export class RestrictedMaster {
  /** Rows: limits first, convexity last. Each column: uses scaled by the limits, then 1. */
  private readonly columns: Float64Array[] = [];
  private readonly values: number[] = [];
  private readonly basis: Int32Array;
  private readonly inverse: Float64Array;
  private readonly m: number;

  /** @param limits of the rows, > 0. @param floor a utility below anything reachable: the artificial start. */
  constructor(
    private readonly limits: Float64Array,
    private readonly floor: number,
  ) {
    this.m = limits.length + 1;
    // Columns 0 … R−1 are slacks, column R the artificial answer that uses nothing.
    for (let r = 0; r < limits.length; r++) this.columns.push(unit(this.m, r));
    this.columns.push(unit(this.m, this.m - 1));
    for (let r = 0; r < limits.length; r++) this.values.push(0);
    this.values.push(floor);
    this.basis = Int32Array.from({ length: this.m }, (_, j) => j);
    this.inverse = new Float64Array(this.m * this.m);
  }

  /** Adds an answer. @returns its number for `weights`. */
  add(utility: number, use: Float64Array): number {
    const column = new Float64Array(this.m);
    for (let r = 0; r < this.limits.length; r++) column[r] = use[r]! / this.limits[r]!;
    column[this.m - 1] = 1;
    this.columns.push(column);
    this.values.push(utility);
    return this.columns.length - 1 - this.m;
  }

  /** Solves to optimality. @param prices filled, per unit of each row. @returns the value and the answers' weights. */
  solve(prices: Float64Array): { value: number; weights: Map<number, number>; artificial: number } {
    const { m, columns, values, basis, inverse } = this;
    const duals = new Float64Array(m);
    const solution = new Float64Array(m);
    const direction = new Float64Array(m);
    const scale = Math.max(1e-300, ...values.map((value) => Math.abs(value - this.floor)));
    this.factor();
    let reached = Number.NEGATIVE_INFINITY;
    let idle = 0;
    for (let step = 0; step < 5000; step++) {
      for (let r = 0; r < m; r++) {
        let sum = 0;
        let right = 0;
        for (let j = 0; j < m; j++) {
          sum += values[basis[j]!]! * inverse[j * m + r]!;
          right += inverse[r * m + j]!;
        }
        duals[r] = sum;
        solution[r] = right;
      }
      // Nearly equal answers at full rows: what is still to be gained is less than rounding makes of it.
      const value = this.valueOf(solution);
      idle = value > reached + 1e-14 * scale ? 0 : idle + 1;
      if (idle === IDLE) this.factor();
      if (idle > 2 * IDLE) break;
      reached = Math.max(reached, value);
      const entering = this.price(duals, scale, step > 2000);
      if (entering < 0) break;
      const column = columns[entering]!;
      let leaving = -1;
      let shortest = Number.POSITIVE_INFINITY;
      for (let r = 0; r < m; r++) {
        let sum = 0;
        for (let j = 0; j < m; j++) sum += inverse[r * m + j]! * column[j]!;
        direction[r] = sum;
        if (sum > 1e-12) {
          const step = Math.max(0, solution[r]!) / sum;
          if (step < shortest || (step === shortest && basis[r]! < basis[leaving]!)) {
            shortest = step;
            leaving = r;
          }
        }
      }
      if (leaving < 0) break;
      basis[leaving] = entering;
      this.pivot(leaving, direction);
    }
    let value = 0;
    let artificial = 0;
    const weights = new Map<number, number>();
    for (let r = 0; r < m; r++) {
      const weight = Math.max(0, solution[r]!);
      value += values[basis[r]!]! * weight;
      const answer = basis[r]! - m;
      if (answer >= 0 && weight > 0) weights.set(answer, weight);
      if (basis[r] === m - 1) artificial = weight;
    }
    for (let r = 0; r < this.limits.length; r++) prices[r] = Math.max(0, duals[r]!) / this.limits[r]!;
    return { value, weights, artificial };
  }

  private valueOf(solution: Float64Array): number {
    let value = 0;
    for (let r = 0; r < this.m; r++) value += this.values[this.basis[r]!]! * solution[r]!;
    return value;
  }

  private price(duals: Float64Array, scale: number, bland: boolean): number {
    let best = 1e-14 * scale;
    let entering = -1;
    for (let j = 0; j < this.columns.length; j++) {
      const column = this.columns[j]!;
      let reduced = this.values[j]!;
      for (let r = 0; r < this.m; r++) reduced -= duals[r]! * column[r]!;
      if (reduced > best && !this.basis.includes(j)) {
        entering = j;
        if (bland) return j;
        best = reduced;
      }
    }
    return entering;
  }

  private pivot(row: number, direction: Float64Array): void {
    const { m, inverse } = this;
    const by = direction[row]!;
    for (let j = 0; j < m; j++) inverse[row * m + j]! /= by;
    for (let r = 0; r < m; r++) {
      if (r === row || direction[r] === 0) continue;
      for (let j = 0; j < m; j++) inverse[r * m + j]! -= direction[r]! * inverse[row * m + j]!;
    }
  }

  /** Inverts the basis by Gauss–Jordan with partial pivoting. */
  private factor(): void {
    const { m, inverse } = this;
    const work = new Float64Array(m * m);
    for (let j = 0; j < m; j++)
      for (let r = 0; r < m; r++) work[r * m + j] = this.columns[this.basis[j]!]![r]!;
    inverse.fill(0);
    for (let r = 0; r < m; r++) inverse[r * m + r] = 1;
    for (let c = 0; c < m; c++) {
      let pivot = c;
      for (let r = c + 1; r < m; r++)
        if (Math.abs(work[r * m + c]!) > Math.abs(work[pivot * m + c]!)) pivot = r;
      if (pivot !== c) {
        swapRows(work, m, pivot, c);
        swapRows(inverse, m, pivot, c);
      }
      const by = work[c * m + c]!;
      for (let j = 0; j < m; j++) {
        work[c * m + j]! /= by;
        inverse[c * m + j]! /= by;
      }
      for (let r = 0; r < m; r++) {
        const factor = work[r * m + c]!;
        if (r === c || factor === 0) continue;
        for (let j = 0; j < m; j++) {
          work[r * m + j]! -= factor * work[c * m + j]!;
          inverse[r * m + j]! -= factor * inverse[c * m + j]!;
        }
      }
    }
  }
}

function unit(length: number, at: number): Float64Array {
  const column = new Float64Array(length);
  column[at] = 1;
  return column;
}

function swapRows(matrix: Float64Array, m: number, a: number, b: number): void {
  for (let j = 0; j < m; j++) {
    const held = matrix[a * m + j]!;
    matrix[a * m + j] = matrix[b * m + j]!;
    matrix[b * m + j] = held;
  }
}

import type { Problem } from './problem.js';
import type { Row } from './rows.js';

/** One coefficient: what a unit of a cell uses of a row. */
interface Coefficient {
  readonly row: number;
  readonly cell: number;
  readonly perUnit: number;
}

/**
 * Stored bytes by all that rows can tell apart, in cells side by side: bytes by group and tier
 * (`group · tiers + tier`), then by tier bytes times accesses, then by tier bytes that do not lie there already. A
 * group is 0, or 1 + tenant where tenants have shares of their own. The rows are sums over cells; read one way that
 * gives what the rows are used, read the other way what a byte in a cell costs at the rows' prices. Rows of means have
 * no cells.
 */
export class RowCells {
  readonly groups: number;
  readonly tiers: number;
  /** Number of cells. */
  readonly length: number;
  /** First cell of bytes times accesses, and of bytes that are written. */
  readonly accessed: number;
  readonly written: number;
  private readonly coefficients: readonly Coefficient[];

  constructor(
    private readonly problem: Problem,
    private readonly rows: readonly Row[],
  ) {
    const { tiers, demand } = problem;
    this.groups = rows.some(({ kind }) => kind === 'tenant') ? demand.tenants.length + 1 : 1;
    this.tiers = tiers.length;
    this.accessed = this.groups * this.tiers;
    this.written = this.accessed + this.tiers;
    this.length = this.written + this.tiers;
    this.coefficients = rows.flatMap((row, r) => this.coefficientsOf(row, r));
  }

  private coefficientsOf({ kind, tier, tenant }: Row, row: number): Coefficient[] {
    const { tiers, groups } = this;
    const everyGroup = (t: number, perUnit: number) =>
      Array.from({ length: groups }, (_, group) => ({ row, cell: group * tiers + t, perUnit }));
    switch (kind) {
      case 'capacity':
        return everyGroup(tier, 1);
      case 'bandwidth':
        return [{ row, cell: this.accessed + tier, perUnit: 1 }];
      case 'tenant':
        return [{ row, cell: (tenant! + 1) * tiers + tier, perUnit: 1 }];
      case 'writes':
        return [{ row, cell: this.written + tier, perUnit: 1 }];
      case 'ttft':
      case 'quality':
      case 'loss':
        return [];
      case 'money':
        return this.problem.tiers.flatMap(({ moneyPerByte }, t) => everyGroup(t, moneyPerByte));
    }
  }

  /** First cell of the bytes of context i. */
  groupOf(i: number): number {
    return this.groups === 1 ? 0 : (this.problem.demand.tenantOf[i]! + 1) * this.tiers;
  }

  /** Fills `perUnit` with what a unit of each cell costs at the rows' prices. */
  price(prices: Float64Array, perUnit: Float64Array): void {
    perUnit.fill(0);
    for (const { row, cell, perUnit: share } of this.coefficients) perUnit[cell]! += share * prices[row]!;
  }

  /** The same with what the problem itself charges for stored and for moved bytes. */
  priceAndCharge(prices: Float64Array, perUnit: Float64Array): void {
    this.price(prices, perUnit);
    const { budgets, inForce, movingSecondsPerByte = 0 } = this.problem;
    for (let t = 0; t < this.tiers; t++) {
      if (inForce !== undefined) perUnit[this.written + t]! += movingSecondsPerByte;
      if (budgets === undefined) continue;
      for (let cell = t; cell < this.accessed; cell += this.tiers) perUnit[cell]! += budgets.charge[t]!;
    }
  }

  /** Adds to `use` what the sums by cell use of each row. */
  addUse(sums: Float64Array, use: Float64Array): void {
    for (const { row, cell, perUnit } of this.coefficients) use[row]! += perUnit * sums[cell]!;
  }

  /** Bytes in each tier, whosever they are. */
  bytesByTier(sums: Float64Array): Float64Array {
    const bytes = new Float64Array(this.tiers);
    for (let cell = 0; cell < this.accessed; cell++) bytes[cell % this.tiers]! += sums[cell]!;
    return bytes;
  }

  /** What the sums cost at the rows' prices. */
  costOf(sums: Float64Array, prices: Float64Array): number {
    const use = new Float64Array(this.rows.length);
    this.addUse(sums, use);
    return use.reduce((cost, amount, r) => cost + prices[r]! * amount, 0);
  }
}

/** What a stored byte costs at given prices of the rows, context by context; charges not counted. */
export class BytePrices {
  private readonly cells: RowCells;
  private readonly perUnit: Float64Array;

  constructor(
    private readonly problem: Problem,
    rows: readonly Row[],
  ) {
    this.cells = new RowCells(problem, rows);
    this.perUnit = new Float64Array(this.cells.length);
  }

  /** Takes new prices, utility per unit of each row. */
  set(prices: Float64Array): void {
    this.cells.price(prices, this.perUnit);
  }

  /** Price of a byte that a choice of context i stores in a tier. */
  of(i: number, tier: number, choice: number): number {
    const { problem, cells, perUnit } = this;
    const price =
      perUnit[cells.groupOf(i) + tier]! + problem.demand.accesses[i]! * perUnit[cells.accessed + tier]!;
    return problem.inForce?.[i] === choice ? price : price + perUnit[cells.written + tier]!;
  }
}

/** A column of a trace. */
export type Column = Float64Array | Int32Array;

/** `Int32Array` or `Float64Array`. */
interface ColumnKind<T extends Column> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer): T;
}

/** A column of zeros in memory that threads share. */
export function sharedColumn<T extends Column>(kind: ColumnKind<T>, length: number): T {
  return new kind(new SharedArrayBuffer(length * kind.BYTES_PER_ELEMENT));
}

/** A column in memory that threads share: the same one where it lies there already. */
export function shared<T extends Column>(column: T): T {
  return column.buffer instanceof SharedArrayBuffer ? column : longer(column, column.length);
}

/** A shared column with the same beginning, twice as long where nobody says how long. */
export function longer<T extends Column>(column: T, length = 2 * column.length): T {
  const copy = sharedColumn(column.constructor as ColumnKind<T>, length);
  copy.set(column);
  return copy;
}

/** The entries of a column in another order. */
export function picked<T extends Column>(column: T, order: Uint32Array): T {
  const copy = sharedColumn(column.constructor as ColumnKind<T>, order.length);
  for (let i = 0; i < order.length; i++) copy[i] = column[order[i]!]!;
  return copy;
}

/**
 * A table for a terminal too narrow for it: a block per row, a line per column that says something.
 * The first column heads its block.
 */
export function narrowTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const margin = head.slice(1).reduce((width, name) => Math.max(width, name.length), 0);
  return rows
    .map(([first, ...rest]) => {
      const lines = rest.flatMap((cell, i) =>
        cell === '' ? [] : [`  ${head[i + 1]!.padEnd(margin)}  ${cell}`],
      );
      return [first, ...lines].join('\n');
    })
    .join('\n');
}

/** Columns of the terminal that reads standard output; undefined where it is a pipe and nobody says. */
export function terminalWidth(
  stream: { columns?: number } = process.stdout,
  env = process.env,
): number | undefined {
  if (stream.columns !== undefined && stream.columns > 0) return stream.columns;
  const columns = Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? columns : undefined;
}

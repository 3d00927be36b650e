/** What names a table of requests as a log's format. */
export const TABLE = 'table';

/** What every Parquet file begins with. */
export const PARQUET_MAGIC = 'PAR1';

/** Whether a log is a file here, not a pattern of names or elsewhere. */
export function isOneFile(path: string): boolean {
  return !/^\w+:\/\/|[*?[]/.test(path);
}

/** Whether a log is read as a table without anybody saying so. */
export function isTable(path: string): boolean {
  return path.startsWith('s3://') || path.endsWith('.parquet');
}

/** Whether a file whose first line is this is a table of requests: Parquet, or text that a header heads. */
export function headsTable(line: string): boolean {
  if (line.startsWith(PARQUET_MAGIC)) return true;
  const names = line.split(',').map((name) => name.trim().replace(/^"|"$/g, ''));
  return names.includes('timestamp') && ['context', 'block', 'hash_ids'].some((id) => names.includes(id));
}

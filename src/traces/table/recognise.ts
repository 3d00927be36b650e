/** What names a table of requests as a log's format. */
export const TABLE = 'table';

/** Whether a log is read as a table without anybody saying so. */
export function isTable(path: string): boolean {
  return path.startsWith('s3://') || path.endsWith('.parquet');
}

/** Whether the first line of a text file heads a table of requests. */
export function headsTable(line: string): boolean {
  const names = line.split(',').map((name) => name.trim().replace(/^"|"$/g, ''));
  return names.includes('timestamp') && (names.includes('context') || names.includes('block'));
}

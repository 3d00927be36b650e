import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = join(tmpdir(), 'evicpress-bench');
const FILE = join(FOLDER, 'policy.json');

let known: Record<string, unknown> | undefined;

/** A value that does not change from run to run: computed once and kept in the temporary folder. */
export function kept<T>(key: string, compute: () => T): T {
  known ??= read();
  if (!(key in known)) {
    known[key] = compute();
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(FILE, JSON.stringify(known));
  }
  return known[key] as T;
}

function read(): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, unknown>;
  } catch {
    return {};
  }
}

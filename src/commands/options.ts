/** Collects a repeatable flag. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

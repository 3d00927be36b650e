/**
 * Ends the process by Ctrl-C and a polite kill with the code of interrupted work, at the next point where the work
 * waits for something: what goes with the process then, temporary files and locks, is put away.
 */
export function endWhenInterrupted(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
}

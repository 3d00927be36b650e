/**
 * Ends the process by Ctrl-C and a polite kill with the code of interrupted work, at the next point where the work
 * waits for something: what goes with the process then, temporary files and locks, is put away.
 */
export function endWhenInterrupted(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
}

/** Is there a process of this number? A process of another user counts. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

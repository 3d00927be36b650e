import type { Command } from 'commander';

/** `evicpress plan`. */
export default function plan(command: Command): void {
  command.action(() => undefined);
}

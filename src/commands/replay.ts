import type { Command } from 'commander';

/** `evicpress replay`. */
export default function replay(command: Command): void {
  command.action(() => undefined);
}

import type { Command } from 'commander';

/** `evicpress profile methods`. */
export function addProfileMethods(command: Command): Command {
  return command;
}

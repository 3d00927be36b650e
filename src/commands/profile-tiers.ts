import type { Command } from 'commander';

/** `evicpress profile tiers`. */
export function addProfileTiers(command: Command): Command {
  return command;
}

import type { Command } from 'commander';
import { addProfileMethods } from './profile-methods.js';
import { addProfileTiers } from './profile-tiers.js';

/** `evicpress profile [tiers|methods]`: each measures one half; both without an argument. */
export default function profile(command: Command): void {
  const tiers = addProfileTiers(command.command('tiers'));
  const methods = addProfileMethods(command.command('methods'));
  command.action(async () => {
    await tiers.parseAsync([], { from: 'user' });
    await methods.parseAsync([], { from: 'user' });
  });
}

import type { Command } from 'commander';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { listProfiles } from './profile-list.js';
import { addProfileMethods } from './profile-methods.js';
import { addProfileTiers } from './profile-tiers.js';

/** `evicpress profile [tiers|methods]`: each measures one half; both without an argument. `--list` shows what is bundled. */
export default function profile(command: Command): void {
  const tiers = addProfileTiers(command.command('tiers'));
  const methods = addProfileMethods(command.command('methods'));
  command.option('--list', 'show the bundled machines and models, with their sources');
  command.addHelpText(
    'after',
    `
Without a command both are measured, the tiers first.

Examples:
  evicpress profile --list
  evicpress profile tiers --tier dram=dram --tier ssd=file:/mnt/nvme`,
  );
  command.action(async (_, action: Command) => {
    const flags = action.optsWithGlobals<TerminalFlags & { list?: boolean }>();
    if (flags.list === true) return listProfiles(openTerminal(flags));
    await tiers.parseAsync([], { from: 'user' });
    await methods.parseAsync([], { from: 'user' });
  });
}

// Writes dist/help.json: what every command takes. The built program prints its help texts from it.
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { verbs } from '../src/commands/index.ts';
import { HELP_FILE } from '../src/declared-commands.ts';
import { declare } from '../src/declared-help.ts';

const declared = [];
for (const { name, summary, load } of verbs) {
  const command = new Command(name).description(summary);
  (await load()).default(command);
  declared.push(declare(command));
}
writeFileSync(HELP_FILE, JSON.stringify(declared));

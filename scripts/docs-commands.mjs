// Writes docs/commands.md from the program itself; --check only says whether it is current.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { verbs } from '../src/commands/index.ts';

const path = fileURLToPath(new URL('../docs/commands.md', import.meta.url));
const text = await commandsPage();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  process.stderr.write('docs/commands.md is not current. Write it again: npm run docs\n');
  process.exitCode = 1;
}

async function commandsPage() {
  const parts = [
    '# Commands\n\nWritten by `npm run docs` from the program. Every command also takes `-C DIR`, `--quiet`, `--json` and `--progress text|json|none`. Exit codes: [exit-codes.md](exit-codes.md).\n',
  ];
  for (const verb of verbs) {
    let help = '';
    const command = new Command('evicpress').command(verb.name).description(verb.summary);
    command.configureOutput({ writeOut: (part) => (help += part), getOutHelpWidth: () => 100 });
    (await verb.load()).default(command);
    command.outputHelp();
    for (const sub of command.commands) {
      help += '\n';
      sub.configureOutput({ writeOut: (part) => (help += part), getOutHelpWidth: () => 100 });
      sub.outputHelp();
    }
    parts.push(`## ${verb.name}\n\n\`\`\`text\n${help.trim()}\n\`\`\`\n`);
  }
  return parts.join('\n');
}

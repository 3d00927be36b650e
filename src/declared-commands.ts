import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from './package-root.js';

/** What a command takes, as plain data: enough to print its help, nothing to run it with. */
export interface DeclaredCommand {
  readonly name: string;
  readonly description: string;
  /** As in the usage: `<old>`, `[log...]`. */
  readonly arguments: readonly Declared[];
  readonly options: readonly Declared[];
  /** What follows the options. */
  readonly after: string;
  readonly commands: readonly DeclaredCommand[];
}

interface Declared {
  readonly term: string;
  readonly description: string;
  readonly default?: unknown;
}

/** Written by the build, so that a help text loads no command. */
export const HELP_FILE = join(PACKAGE_ROOT, 'dist/help.json');

/** The declared commands of the build; none where the program runs from its sources. */
export function declaredCommands(): readonly DeclaredCommand[] {
  try {
    return JSON.parse(readFileSync(HELP_FILE, 'utf8')) as DeclaredCommand[];
  } catch {
    return [];
  }
}

/** The options of a command and of those below it, in camelCase. */
export function optionNames({ options, commands }: DeclaredCommand): string[] {
  const names = options.map(({ term }) => /--([a-z0-9-]+)/.exec(term)![1]!);
  return [
    ...names.map((name) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())),
    ...commands.flatMap(optionNames),
  ];
}

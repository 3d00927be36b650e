import { Command, type Option } from 'commander';
import { engines } from '../engines/index.js';
import { EvicpressError } from '../errors.js';
import { bundledModels, bundledNames } from '../formats/bundled.js';
import { jsonText } from '../formats/files.js';
import { solvers } from '../plan/solvers/index.js';
import { pick } from '../registry.js';
import { policies } from '../replay/policies/index.js';
import { completionShells } from '../report/completion/index.js';
import type { CompletedCommand, CompletedOption } from '../report/completion/words.js';
import type { TerminalFlags } from '../report/terminal.js';
import { formats } from '../traces/index.js';
import { verbs } from './index.js';

const NAMES = completionShells.map((shell) => shell.name);

/** `evicpress completion SHELL`: the script that makes a shell complete commands, flags and names. */
export default function completion(command: Command): void {
  command
    .argument('[shell]', NAMES.join(', '))
    .addHelpText('after', `\nExamples:\n${completionShells.map(({ install }) => `  ${install}`).join('\n')}`)
    .action(async (given: string | undefined, _, cmd: Command) => {
      const { name, install, script } = pick('shell', completionShells, given ?? shellInUse());
      // The comment comes last: zsh asks for #compdef on the first line.
      const text = `${script(await everyCommand())}# ${install}\n`;
      const { json } = cmd.optsWithGlobals() as TerminalFlags;
      process.stdout.write(json === true ? jsonText({ shell: name, script: text }) : text);
    });
}

function shellInUse(): string {
  const name = process.env.SHELL?.split('/').at(-1) ?? '';
  if (NAMES.includes(name)) return name;
  throw new EvicpressError(`No shell given. Name it: evicpress completion ${NAMES.join('|')}.`);
}

/** The program itself first, then every verb and what stands below it. */
async function everyCommand(): Promise<CompletedCommand[]> {
  const known = await knownNames();
  const global = new Command()
    .option('-C, --directory <dir>', 'work as if started in this folder')
    .option('-q, --quiet', 'print results and errors only')
    .option('--json', 'print one JSON object')
    .option('--progress <form>', 'progress as text, json or none');
  const shared = global.options.map((option) => completed(option, known));
  const of = (command: Command, path: readonly string[]): CompletedCommand[] => [
    {
      path,
      summary: command.description(),
      names: command.registeredArguments.flatMap((argument) => known.get(argument.name()) ?? []),
      options: [
        ...command.options.filter(({ long }) => long != null).map((option) => completed(option, known)),
        ...shared,
      ],
    },
    ...command.commands.flatMap((below) => of(below, [...path, below.name()])),
  ];
  const loaded = await Promise.all(
    verbs.map(async (verb) => {
      const command = new Command(verb.name).description(verb.summary);
      (await verb.load()).default(command);
      return of(command, [verb.name]);
    }),
  );
  return [{ path: [], summary: '', names: [], options: shared }, ...loaded.flat()];
}

/** The names that may follow a flag, or stand as an argument. */
async function knownNames(): Promise<ReadonlyMap<string, readonly string[]>> {
  const models = await bundledModels();
  return new Map([
    ['--tiers', bundledNames('tiers')],
    ['--methods', [...bundledNames('methods'), 'none']],
    ['--model', models.map((model) => model.name)],
    ['--policies', policies.map((policy) => policy.name)],
    ['--solver', solvers.map((solver) => solver.name)],
    ['--engine', engines.map((engine) => engine.name)],
    ['--format', formats.map((format) => format.name)],
    ['--runner', ['embedded', 'kvpress', 'openai']],
    ['--progress', ['text', 'json', 'none']],
    ['--theme', ['light', 'dark']],
    ['shell', NAMES],
  ]);
}

function completed(option: Option, known: ReadonlyMap<string, readonly string[]>): CompletedOption {
  const flag = option.long!;
  const names = /name|list|form|engine/.test(option.flags) ? known.get(flag) : undefined;
  const isPath = /[<|](file|log|plan|dir|old|new)\b/.test(option.flags);
  return {
    flag,
    summary: option.description,
    value: option.required || option.optional ? (names ?? (isPath ? 'file' : 'text')) : 'none',
    isList: flag === '--policies',
    orFile: isPath,
  };
}

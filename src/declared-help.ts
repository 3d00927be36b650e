import type { EventEmitter } from 'node:events';
import { Argument, type Command, Option } from 'commander';
import type { DeclaredCommand } from './declared-commands.js';

/** What a command with all it declares would print as its help, as data. */
export function declare(command: Command): DeclaredCommand {
  let after = '';
  const write = (text: string) => {
    after += text;
  };
  (command as unknown as EventEmitter).emit('afterHelp', { error: false, command, write });
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      term: argument.required ? `<${dotted(argument)}>` : `[${dotted(argument)}]`,
      description: argument.description,
      default: argument.defaultValue,
    })),
    options: command.options.map((option) => ({
      term: option.flags,
      description: option.description,
      default: option.defaultValue,
    })),
    after,
    commands: command.commands.map(declare),
  };
}

/** Makes a command print the help of a declared one, whatever it is called with. */
export function restore(command: Command, declared: DeclaredCommand): void {
  for (const { term, description, default: value } of declared.arguments)
    command.addArgument(new Argument(term, description).default(value));
  for (const { term, description, default: value } of declared.options)
    command.addOption(new Option(term, description).default(value));
  for (const below of declared.commands)
    restore(command.command(below.name).description(below.description), below);
  if (declared.after !== '') command.addHelpText('after', declared.after.replace(/\n$/, ''));
  command.action(() => command.help());
}

function dotted(argument: Argument): string {
  return argument.variadic ? `${argument.name()}...` : argument.name();
}

import {
  type CompletedCommand,
  type CompletedOption,
  type CompletionShell,
  commandsBelow,
  quoted,
} from './words.js';

/** fish: a line per command and flag, under the condition that its command was typed. */
export const fish: CompletionShell = {
  name: 'fish',
  install: 'evicpress completion fish > ~/.config/fish/completions/evicpress.fish',
  script: (commands) => `${commands.flatMap((command) => linesOf(command, commands)).join('\n')}\n`,
};

function linesOf(command: CompletedCommand, commands: readonly CompletedCommand[]): string[] {
  const below = commandsBelow(command, commands);
  const when = conditionOf(command, below);
  return [
    ...below.map(
      ({ path, summary }) =>
        `complete -c evicpress -n ${when} -f -a ${quoted(path.at(-1)!)} -d ${quoted(summary)}`,
    ),
    ...(command.names.length === 0
      ? []
      : [`complete -c evicpress -n ${when} -f -a ${quoted(command.names.join(' '))}`]),
    ...command.options.map((option) => `complete -c evicpress -n ${when} ${flagOf(option)}`),
  ];
}

function conditionOf({ path }: CompletedCommand, below: readonly CompletedCommand[]): string {
  const last = path.at(-1);
  if (last === undefined) return '__fish_use_subcommand';
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
  const not = below.map((each) => `not __fish_seen_subcommand_from ${each.path.at(-1)!}`);
  return quoted([...seen, ...not].join('; and '));
}

function flagOf({ flag, summary, value, isList, orFile }: CompletedOption): string {
  const about = `-l ${flag.slice(2)} -d ${quoted(summary)}`;
  if (value === 'none') return about;
  if (value === 'file') return `${about} -r -F`;
  if (value === 'text') return `${about} -x`;
  const names = value.join(' ');
  if (orFile) return `${about} -r -F -a ${quoted(names)}`;
  return isList
    ? `${about} -x -a ${quoted(`(__fish_append , ${names})`)}`
    : `${about} -x -a ${quoted(names)}`;
}

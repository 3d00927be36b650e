import {
  type CompletedCommand,
  type CompletedOption,
  type CompletionShell,
  commandsBelow,
  quoted,
} from './words.js';

/** zsh: commands with their summaries by _describe, flags by _arguments. */
export const zsh: CompletionShell = {
  name: 'zsh',
  install: 'evicpress completion zsh > "$fpath[1]/_evicpress"',
  script: (commands) => `#compdef evicpress
${commands.map((command) => functionOf(command, commands)).join('\n')}
if [[ $funcstack[1] == _evicpress ]]; then _evicpress "$@"; else compdef _evicpress evicpress; fi
`,
};

function functionOf(command: CompletedCommand, commands: readonly CompletedCommand[]): string {
  const below = commandsBelow(command, commands);
  const flags = command.options.map(argumentOf);
  const lines = [
    ...flags,
    ...(below.length > 0
      ? ["'1:command:->command'", "'*::argument:->rest'"]
      : command.names.length > 0
        ? [quoted(`1:name:(${command.names.join(' ')})`)]
        : ["'*:file:_files'"]),
  ];
  const described = below.map(({ path, summary }) =>
    quoted(`${path.at(-1)!.replaceAll(':', '\\:')}:${summary}`),
  );
  const states =
    below.length === 0
      ? ''
      : `
  case $state in
    command) local -a below=(${described.join(' ')}); _describe command below ;;
    rest) case $words[1] in
${below.map((each) => `      ${each.path.at(-1)!}) ${nameOf(each)} ;;`).join('\n')}
    esac ;;
  esac`;
  return `${nameOf(command)}() {
  local state line
  _arguments -C ${lines.map((line) => `\\\n    ${line}`).join(' ')}${states}
}`;
}

function nameOf({ path }: CompletedCommand): string {
  return ['_evicpress', ...path].join('_');
}

function argumentOf({ flag, summary, value, isList, orFile }: CompletedOption): string {
  const about = summary.replace(/[[\]:\\]/g, (mark) => `\\${mark}`);
  const names = typeof value === 'string' ? '' : value.map((name) => name.replaceAll(':', '\\:')).join(' ');
  const follows =
    value === 'none'
      ? ''
      : value === 'file'
        ? ':file:_files'
        : value === 'text'
          ? ':value: '
          : isList
            ? `:names:_values -s , name ${names}`
            : orFile
              ? `:name:{compadd -- ${names}; _files}`
              : `:name:(${names})`;
  return quoted(`*${flag}[${about}]${follows}`);
}

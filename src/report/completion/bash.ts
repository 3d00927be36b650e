import { type CompletedCommand, type CompletionShell, commandsBelow, quoted } from './words.js';

/** bash: one function; the words so far choose the command, the word before chooses names or files. */
export const bash: CompletionShell = {
  name: 'bash',
  install: 'evicpress completion bash > ~/.local/share/bash-completion/completions/evicpress',
  script: (commands) => `_evicpress() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" word path= flags= names= list=
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path:$word" in
${commands.flatMap(({ path }) => enters(path)).join('\n')}
    esac
  done
  case "$path:$before" in
${commands.flatMap(valueCases).join('\n')}
  esac
  if [[ -n $list ]]; then
    local done=; [[ $current == *,* ]] && done="\${current%,*},"
    COMPREPLY=($(compgen -P "$done" -W "$names" -- "\${current##*,}"))
    compopt -o nospace 2>/dev/null
    return
  fi
  if [[ -n $names ]]; then COMPREPLY=($(compgen -W "$names" -- "$current")); return; fi
  case "$path" in
${commands.map((command) => `    ${quoted(pathOf(command))}) flags=${quoted(wordsAfter(command, commands).join(' '))} ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$flags" -- "$current"))
}
complete -o default -F _evicpress evicpress
`,
};

function pathOf({ path }: Pick<CompletedCommand, 'path'>): string {
  return path.map((word) => ` ${word}`).join('');
}

/** The word that leads from the command above to this one. */
function enters(path: readonly string[]): string[] {
  const above = pathOf({ path: path.slice(0, -1) });
  return path.length === 0
    ? []
    : [`      ${quoted(`${above}:${path.at(-1)!}`)}) path=${quoted(pathOf({ path }))} ;;`];
}

/** What may come next: the commands below this one, names, and its flags. */
function wordsAfter(command: CompletedCommand, commands: readonly CompletedCommand[]): string[] {
  const below = commandsBelow(command, commands);
  return [
    ...below.map(({ path }) => path.at(-1)!),
    ...command.names,
    ...command.options.map(({ flag }) => flag),
  ];
}

function valueCases(command: CompletedCommand): string[] {
  return command.options.flatMap(({ flag, value, isList }) => {
    const at = `    ${quoted(`${pathOf(command)}:${flag}`)})`;
    if (value === 'none') return [];
    if (value === 'file' || value === 'text') return [`${at} return ;;`];
    return [`${at} names=${quoted(value.join(' '))}${isList ? ' list=1' : ''} ;;`];
  });
}

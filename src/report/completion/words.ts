/** A command of the program as a shell completes it. */
export interface CompletedCommand {
  /** The words that call it: `['plan']`, `['profile', 'tiers']`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Names that may stand as its argument; none where that is a file, or anything. */
  readonly names: readonly string[];
}

export interface CompletedOption {
  /** `--tiers`; every long flag has one. */
  readonly flag: string;
  readonly summary: string;
  /** What may follow: names, a file, anything else, or nothing. */
  readonly value: 'none' | 'file' | 'text' | readonly string[];
  /** Beside the names a file may be named. */
  readonly orFile: boolean;
  /** Names may be joined by commas. */
  readonly isList: boolean;
}

/** Writes the script of one shell. */
export interface CompletionShell {
  readonly name: string;
  /** Where its users put the script; printed as a comment on top. */
  readonly install: string;
  readonly script: (commands: readonly CompletedCommand[]) => string;
}

/** The commands right below one. */
export function commandsBelow(
  { path }: CompletedCommand,
  commands: readonly CompletedCommand[],
): CompletedCommand[] {
  return commands.filter(
    (other) => other.path.length === path.length + 1 && path.every((word, i) => other.path[i] === word),
  );
}

/** Text in single quotes, as sh, zsh and fish read it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

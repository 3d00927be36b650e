import { EvicpressError } from '../errors.js';
import { shellWord } from '../shell-word.js';

/** The flags that say what a command worked from, in the order of the help. */
const INPUT_FLAGS = {
  format: '--format',
  blockTokens: '--block-tokens',
  skipBad: '--skip-bad',
  tiers: '--tiers',
  methods: '--methods',
  model: '--model',
  metric: '--metric',
  allowModelMismatch: '--allow-model-mismatch',
  capacity: '--capacity',
} as const;

/** The inputs that were given as flags, written once more, so that a suggested next command works as it is. */
export function sameInputs(flags: object): string {
  const given = flags as Readonly<Record<string, unknown>>;
  const words = Object.entries(INPUT_FLAGS).flatMap(([name, flag]) => {
    const value = given[name];
    if (value === true) return [flag];
    const values = Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];
    return values.flatMap((each) => [flag, shellWord(String(each))]);
  });
  return words.map((word) => ` ${word}`).join('');
}

/**
 * Refuses an alpha beside what alpha is solved for: one of the two would be passed over in silence.
 * @throws EvicpressError
 */
export function expectOneObjective(flags: {
  readonly alpha?: string;
  readonly meanQuality?: string;
  readonly maxMeanTtft?: string;
}): void {
  if (flags.alpha !== undefined && (flags.meanQuality !== undefined || flags.maxMeanTtft !== undefined))
    throw new EvicpressError(
      '--alpha and a target for the mean are both given; the target solves for alpha. Leave one out.',
    );
}

/** Collects a repeatable flag. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** An option as it is typed, by its name in code: `blockTokens` is `--block-tokens`. */
export function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

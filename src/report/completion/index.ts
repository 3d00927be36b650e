import { bash } from './bash.js';
import { fish } from './fish.js';
import type { CompletionShell } from './words.js';
import { zsh } from './zsh.js';

/** Every shell there is a script for. */
export const completionShells: readonly CompletionShell[] = [bash, zsh, fish];

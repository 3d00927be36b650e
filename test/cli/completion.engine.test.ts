import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { sandbox } from '../support/cli.js';

const box = sandbox();
const isMissing = (shell: string) => spawnSync(shell, ['-c', 'exit']).error !== undefined;
for (const shell of ['zsh', 'fish'])
  if (isMissing(shell)) console.warn(`skipped: ${shell} is not installed (apt-get install ${shell})`);

/** Types into a zsh on a pseudo-terminal, presses tab twice and prints what the screen then shows. */
const ZSH_SESSION = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='> '; fpath=($1 \\$fpath); autoload -Uz compinit; compinit -u -D; stty cols 120; echo ready"
local out part
until [[ $out == *ready*ready* ]]; do zpty -r shell part; out+=$part; done
zpty -w -n shell "$2"$'\\t\\t'
out=
repeat 20; do sleep 0.2; while zpty -r -t shell part; do out+=$part; done; done
print -r -- "$out"`;

describe.skipIf(isMissing('zsh'))('zsh', () => {
  it.each([
    ['evicpress repo', ['evicpress report']],
    ['evicpress profile ', ['methods', 'tiers']],
    ['evicpress plan --solver ', ['dual', 'exact', 'greedy', 'greedy-per-byte']],
    ['evicpress plan --tiers h100-host-', ['h100-host-gen4']],
    ['evicpress replay --policies lru,bel', ['lru,belady']],
    ['evicpress completion ', ['bash', 'zsh', 'fish']],
  ])('completes "%s"', async (typed, offered) => {
    const { stdout: script } = await box.evicpress('completion', 'zsh');
    mkdirSync(box.path('functions'));
    box.write('functions/_evicpress', script);
    const { stdout } = await execa('zsh', ['-f', '-c', ZSH_SESSION, 'zsh', box.path('functions'), typed], {
      cwd: box.folder,
      timeout: 60_000,
    });
    for (const word of offered) expect(stdout).toContain(word);
  });
});

describe.skipIf(isMissing('fish'))('fish', () => {
  it.each([
    ['evicpress repo', ['report']],
    ['evicpress profile ', ['methods', 'tiers']],
    ['evicpress plan --solver ', ['dual', 'exact', 'greedy', 'greedy-per-byte']],
    ['evicpress plan --tiers h100-host-', ['h100-host-gen4']],
    ['evicpress replay --policies lru,bel', ['lru,belady']],
    ['evicpress completion ', ['bash', 'zsh', 'fish']],
  ])('completes "%s"', async (typed, offered) => {
    const { stdout: script } = await box.evicpress('completion', 'fish');
    box.write('evicpress.fish', script);
    const { stdout } = await execa('fish', ['-c', 'source evicpress.fish; complete -C $argv[1]', typed], {
      cwd: box.folder,
    });
    const words = stdout.split('\n').map((line) => line.split('\t')[0]);
    for (const word of offered) expect(words).toContain(word);
  });
});

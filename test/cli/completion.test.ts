import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { verbs } from '../../src/commands/index.js';
import { completionShells } from '../../src/report/completion/index.js';
import { sandbox } from '../support/cli.js';

const box = sandbox();

/** What bash would offer for the last of these words. */
async function offered(script: string, ...words: string[]): Promise<string[]> {
  const { stdout } = await execa('bash', ['--norc'], {
    input: `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_evicpress; printf '%s\\n' "\${COMPREPLY[@]}"`,
  });
  return stdout.split('\n').filter((word) => word !== '');
}

describe('evicpress completion', () => {
  it('completes commands, flags and names in bash', async () => {
    const { stdout: script, exitCode } = await box.evicpress('completion', 'bash');
    expect(exitCode).toBe(0);
    expect(await offered(script, 'evicpress', 're')).toEqual(['replay', 'report', 'refresh']);
    expect(await offered(script, 'evicpress', 'profile', 'm')).toEqual(['methods']);
    expect(await offered(script, 'evicpress', 'profile', 'tiers', '--seconds')).toEqual([
      '--seconds-per-tier',
    ]);
    expect(await offered(script, 'evicpress', 'plan', '--solver', 'gre')).toEqual([
      'greedy',
      'greedy-per-byte',
    ]);
    expect(await offered(script, 'evicpress', 'replay', '--policies', 'lru,bel')).toEqual(['lru,belady']);
    expect(await offered(script, 'evicpress', 'plan', '--tiers', 'h100-host-')).toEqual(['h100-host-gen4']);
    expect(await offered(script, 'evicpress', 'completion', '')).toEqual(
      expect.arrayContaining(['bash', 'zsh', 'fish']),
    );
    expect(await offered(script, 'evicpress', '-q', 'exp')).toEqual(['explain', 'export']);
  });

  it.each(completionShells.map(({ name }) => name))('names every command for %s', async (shell) => {
    const { stdout } = await box.evicpress('completion', shell);
    for (const { name } of verbs) expect(stdout).toContain(name);
    expect(stdout).not.toContain('undefined');
  });

  it('suggests the shell that was meant', async () => {
    const { stderr, exitCode } = await box.evicpress('completion', 'bsh');
    expect([stderr, exitCode]).toEqual([
      'evicpress: Unknown shell "bsh". Did you mean bash? Pick one of: bash, zsh, fish.',
      1,
    ]);
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { verbs } from '../../src/commands/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));

/** The commands shown in a page's console blocks, continued lines joined. */
function shownCommands(page: string): string[] {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  return [...text.matchAll(/```(?:sh|console)\n([\s\S]*?)```/g)]
    .flatMap(([, block]) => block!.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/^\$ /, '').replace(/#.*$/, '').trim())
    .filter((line) => line.startsWith('evicpress '));
}

describe('the documentation', () => {
  it('has a page of commands that is what the program says', async () => {
    const { exitCode, stderr } = await execa(
      'node_modules/.bin/tsx',
      ['scripts/docs-commands.mjs', '--check'],
      {
        cwd: root,
        reject: false,
      },
    );
    expect(stderr).not.toContain('not current');
    expect(exitCode).toBe(0);
  });

  it.each(pages)('%s links only to what exists', (page) => {
    const text = readFileSync(join(root, 'docs', page), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect(existsSync(join(root, 'docs', dirname(page), target!)), `${page}: ${target}`).toBe(true);
  });

  it.each(pages)('%s shows only commands and options that the program has', async (page) => {
    for (const line of shownCommands(page)) {
      const [, verb, ...words] = line.split(/\s+/);
      const known = verbs.map((entry) => entry.name);
      expect(known, `${page}: ${line}`).toContain(verb);
      const sub = verb === 'profile' && !words[0]!.startsWith('-') ? [words[0]!] : [];
      const { stdout } = await execa('node', ['bin/evicpress.js', verb!, ...sub, '--help'], { cwd: root });
      for (const word of words.filter((part) => part.startsWith('--')))
        expect(stdout, `${page}: ${line}`).toContain(word.split('=')[0]!);
    }
  });

  it('describes every field of every file as the program does', async () => {
    const { stderr } = await execa('node_modules/.bin/tsx', ['scripts/docs-reference.mjs', '--check'], {
      cwd: root,
      reject: false,
    });
    expect(stderr).toBe('');
  }, 120_000);

  it('shows what its commands print', async () => {
    const { stderr } = await execa('node', ['scripts/docs-output.mjs', '--check'], {
      cwd: root,
      reject: false,
    });
    expect(stderr).toBe('');
  }, 300_000);
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { verbs } from '../../src/commands/index.js';
import { declaredCommands } from '../../src/declared-commands.js';
import { declare } from '../../src/declared-help.js';
import { PACKAGE_ROOT } from '../../src/package-root.js';
import { sandbox } from '../support/cli.js';

const dist = join(PACKAGE_ROOT, 'dist');

/** The files of dist/ that reading one of them reads, itself included. */
function readWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, path] of text.matchAll(/\b(?:from|import)"(\.[^"]+)"/g))
    readWith(join(dirname(file), path!), seen);
  return seen;
}

describe('the built program', () => {
  it('starts from a handful of files, none of them a schema', () => {
    const files = [...readWith(join(dist, 'cli.js'))];
    expect(files.length).toBeGreaterThan(1);
    expect(files.length).toBeLessThan(12);
    expect(files.filter((file) => readFileSync(file, 'utf8').includes('ZodType'))).toEqual([]);
    expect(
      [...readWith(join(dist, 'index.js'))].some((file) => readFileSync(file, 'utf8').includes('ZodType')),
    ).toBe(true);
  });

  it('is a library with declarations beside every entry', () => {
    expect(existsSync(join(dist, 'index.d.ts'))).toBe(true);
    const workers = readdirSync(join(PACKAGE_ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.worker.ts'),
    );
    for (const file of workers) expect(existsSync(join(dist, file.replace(/ts$/, 'js'))), file).toBe(true);
  });

  it.each(verbs)('prints the help of $name as the command declares it', async ({ name, summary, load }) => {
    const command = new Command(name).description(summary);
    (await load()).default(command);
    const built = declaredCommands().find((each) => each.name === name);
    expect(built).toEqual(JSON.parse(JSON.stringify(declare(command))));
  });
});

describe('a help text', () => {
  const box = sandbox();

  it('is the same from the build as from the command', async () => {
    const { stdout } = await box.evicpress('profile', 'tiers', '--help');
    const { stdout: other } = await box.evicpress('help', 'profile');
    expect(stdout).toMatch(/^Usage: evicpress profile tiers \[options\]/);
    expect(stdout).toContain('--seconds-per-tier <n>');
    expect(other).toMatch(/^ {2}tiers \[options\]/m);
  });

  it('comes also where an option would take the word --help for its value', async () => {
    const { exitCode, stdout } = await box.evicpress('plan', '--trace', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: evicpress plan/);
  });
});

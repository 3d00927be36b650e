import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));

/** The picture of who imports whom, top to bottom: a part imports from rows below its own and from itself. */
const ROWS: readonly (readonly string[])[] = [
  ['cli.ts', 'index.ts'],
  ['configured-options.ts'],
  ['commands', 'declared-help.ts'],
  ['workflows'],
  ['tiers', 'methods', 'replay', 'engines', 'report'],
  ['traces', 'plan'],
  ['cost'],
  ['formats'],
  ['aws-credentials.ts', 'heavy-package.ts', 'openai-client.ts', 'declared-commands.ts'],
  [
    'units.ts',
    'registry.ts',
    'progress.ts',
    'random.ts',
    'package-root.ts',
    'processes.ts',
    'make-folder.ts',
    'shell-word.ts',
  ],
  ['errors.ts'],
];

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const part = (file: string): string => file.split('/')[0]!;
const rowOf = (name: string): number => ROWS.findIndex((row) => row.includes(name));

/** Files of ours that a source text imports, also lazily or for types alone, relative to src/. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map(([, path]) =>
    relative(SOURCE, join(SOURCE, dirname(file), path!)).replace(/\.js$/, '.ts'),
  );
}

/** Names, other than of types, that a file imports or exports from files of ours, by the names they have there. */
function valuesOf(file: string, clause: 'import' | 'export'): { name: string; from: string }[] {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  const pattern = new RegExp(`^${clause} \\{([^}]*)\\} from '(\\.[^']+)'`, 'gm');
  return [...text.matchAll(pattern)].flatMap(([, names, path]) =>
    names!
      .split(',')
      .map((name) => name.trim().split(' as ')[0]!)
      .filter((name) => name !== '' && !name.startsWith('type '))
      .map((name) => ({
        name,
        from: relative(SOURCE, join(SOURCE, dirname(file), path!)).replace(/\.js$/, '.ts'),
      })),
  );
}

describe('imports', () => {
  it('gives every file a place in the picture', () => {
    expect(files.filter((file) => rowOf(part(file)) < 0)).toEqual([]);
  });

  it('finds imports of every kind', () => {
    expect(importsOf('commands/index.ts')).toContain('commands/plan.ts');
    expect(importsOf('cli.ts')).toContain('errors.ts');
  });

  it('go downwards only', () => {
    const upwards = files.flatMap((file) =>
      importsOf(file)
        .filter((to) => part(to) !== part(file) && rowOf(part(to)) <= rowOf(part(file)))
        .map((to) => `${file} → ${to}`),
    );
    expect(upwards).toEqual([]);
  });

  it('of the commands are what the library exports; of their own they have what is printed and asked', () => {
    const shown =
      /^(commands|report)\/|^(errors|make-folder|registry|shell-word|units)\.ts$|^formats\/(files|option-values|schema)\.ts$|^workflows\/config-names\.ts$/;
    const exported = new Set(valuesOf('index.ts', 'export').map(({ name }) => name));
    const missing = files
      .filter((file) => part(file) === 'commands')
      .flatMap((file) => valuesOf(file, 'import'))
      .filter(({ from, name }) => !shown.test(from) && !exported.has(name));
    expect(missing).toEqual([]);
    expect(exported.size).toBeGreaterThan(100);
  });
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sandbox } from '../support/cli.js';

const box = sandbox();

describe('evicpress demo', () => {
  it('plays every stage in a folder of its own and leaves a report', { timeout: 180_000 }, async () => {
    const { exitCode, stdout } = await box.evicpress('demo');
    expect(exitCode).toBe(0);
    const played = [...stdout.matchAll(/^\$ evicpress (\w+)/gm)].map(([, verb]) => verb);
    expect(played).toEqual(['profile', 'plan', 'replay', 'explain', 'size', 'report']);
    expect(readFileSync(join(box.folder, 'evicpress-demo/.evicpress/report.html'), 'utf8')).toContain(
      '</html>',
    );
  });

  it('does not touch a configuration of the user', async () => {
    writeFileSync(box.path('evicpress.yaml'), 'model: llama-3.1-8b\n');
    const { exitCode, stderr } = await box.evicpress('demo', '-o', '.');
    expect([exitCode, stderr]).toEqual([
      1,
      'evicpress: evicpress.yaml is not of a demo. Name another folder: evicpress demo -o DIR.',
    ]);
    expect(existsSync(box.path('requests.jsonl'))).toBe(false);
  });
});

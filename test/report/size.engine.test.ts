import { statSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { BIN, sandbox } from '../support/cli.js';

const box = sandbox();
const CONTEXTS = 100_000;
const INPUTS = [
  ...['--tiers', 'h100-host', '--model', 'llama-3.1-8b', '--methods', 'smollm2-135m/samples'],
  ...['--allow-model-mismatch', '--capacity', 'dram=400GB', '--capacity', 'ssd=4TB', '--alpha', '2'],
];

/** Contexts of every length and rate; the numbers repeat from run to run. */
function contexts(nameOf: (i: number) => string): object[] {
  let state = 1;
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
  return Array.from({ length: CONTEXTS }, (_, i) => ({
    context: nameOf(i),
    tokens: Math.round(500 + 200 * Math.exp(4.5 * next())),
    accesses: Number((100 / (1 + 300 * next())).toFixed(3)),
  }));
}

describe('the report of a real plan of 100,000 contexts', () => {
  it.each([
    ['names', (i: number) => `tenant-${i % 7}/document-${i}`],
    ['random ids', (i: number) => (BigInt(i + 1) * 0x9e37_79b9_7f4a_7c15n).toString(16).padStart(18, '0')],
  ])(
    'is under 2 MB with %s',
    async (_, nameOf) => {
      box.write('contexts.ndjson', contexts(nameOf));
      const run = (...words: string[]) => execa(process.execPath, [BIN, ...words], { cwd: box.folder });
      await run('plan', '-q', '--contexts', 'contexts.ndjson', ...INPUTS);
      const report = await run('report');
      const bytes = statSync(box.path('.evicpress/report.html')).size;
      console.log(`${bytes} bytes; ${report.stdout.trim().split('\n').at(-1)}`);
      expect(bytes).toBeLessThan(2e6);
      expect(bytes).toBeGreaterThan(5e5);
    },
    600_000,
  );
});

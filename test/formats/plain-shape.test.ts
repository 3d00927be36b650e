import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { contextRowSchema, readContexts } from '../../src/formats/contexts.js';

const folder = mkdtempSync(join(tmpdir(), 'plain-shape-'));
afterAll(() => rmSync(folder, { recursive: true }));

const oddly = fc.oneof(
  fc.constantFrom(null, true, '', 'x', -1, 0, 1, 1.5, 1e300, [], {}, 'y'.repeat(4097)),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const rows = fc.record(
  {
    context: fc.oneof({ weight: 5, arbitrary: fc.string({ minLength: 1 }) }, oddly),
    tokens: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1 }) }, oddly),
    accesses: fc.oneof({ weight: 5, arbitrary: fc.double({ min: 0, max: 9 }) }, oddly),
    fullBytes: oddly,
    tenant: oddly,
    class: oddly,
    startTokens: oddly,
    requestShare: oddly,
    minQuality: oddly,
    extra: oddly,
  },
  { requiredKeys: ['context', 'tokens', 'accesses'] },
);

describe('rows that skip the schema', () => {
  it('are those that it accepts, and come out as it gives them', async () => {
    const path = join(folder, 'contexts.ndjson');
    await fc.assert(
      fc.asyncProperty(rows, async (row) => {
        writeFileSync(path, `${JSON.stringify(row)}\n`);
        const judged = contextRowSchema.safeParse(JSON.parse(JSON.stringify(row)));
        const read = await readContexts(path, 'planning').then(
          (file) => file.rows[0],
          () => undefined,
        );
        expect(read).toEqual(judged.success ? judged.data : undefined);
      }),
      { numRuns: 300, seed: 3 },
    );
  });
});

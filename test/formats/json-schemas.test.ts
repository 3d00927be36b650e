import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { jsonSchemas } from '../../src/formats/json-schemas.js';

const FOLDER = new URL('../../docs/schemas/', import.meta.url);

describe('published JSON Schemas', () => {
  it.each([...jsonSchemas()])('%s is current (npm run build && npm run schemas)', (name, text) => {
    expect(readFileSync(new URL(name, FOLDER), 'utf8')).toBe(text);
  });

  it('are all there is in docs/schemas', () => {
    expect(readdirSync(FOLDER).sort()).toEqual([...jsonSchemas().keys()].sort());
  });
});

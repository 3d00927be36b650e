import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fieldMeanings } from '../../src/formats/field-meanings.js';
import { jsonSchemas } from '../../src/formats/json-schemas.js';

interface Field {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly items?: Field;
  readonly anyOf?: readonly Field[];
}

function* fieldsOf(schema: Field, path: string): Generator<[string, Field]> {
  for (const each of schema.anyOf ?? []) yield* fieldsOf(each, path);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const own = path === '' ? name : `${path}.${name}`;
    yield [own, field];
    yield* fieldsOf(field, own);
  }
  if (schema.items !== undefined) yield* fieldsOf(schema.items, `${path}[]`);
}

const FOLDER = new URL('../../docs/schemas/', import.meta.url);

describe('published JSON Schemas', () => {
  it.each([...jsonSchemas()])('%s is current (npm run build && npm run schemas)', (name, text) => {
    expect(readFileSync(new URL(name, FOLDER), 'utf8')).toBe(text);
  });

  it.each([...jsonSchemas()])('%s says what each field means, and means no other', (file, text) => {
    const found = [...fieldsOf(JSON.parse(text), '')];
    expect(found.filter(([, field]) => field.description === undefined).map(([path]) => path)).toEqual([]);
    const known = new Set(found.map(([path]) => path));
    const meant = Object.keys(fieldMeanings[file.replace('.schema.json', '')]!);
    expect(meant.filter((path) => !known.has(path))).toEqual([]);
  });

  it('are all there is in docs/schemas', () => {
    expect(readdirSync(FOLDER).sort()).toEqual([...jsonSchemas().keys()].sort());
  });
});

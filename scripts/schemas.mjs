#!/usr/bin/env node
/** `npm run schemas`: writes the JSON Schemas of every file format into docs/schemas. Build first. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jsonSchemas } from '../src/formats/json-schemas.ts';

const folder = fileURLToPath(new URL('../docs/schemas/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, text] of jsonSchemas()) {
  writeFileSync(`${folder}${name}`, text);
  console.log(`docs/schemas/${name}`);
}

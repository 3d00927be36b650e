import * as z from 'zod';
import { configSchema } from './config.js';
import { contextRowSchema, contextsHeaderSchema } from './contexts.js';
import { COMMON, fieldMeanings } from './field-meanings.js';
import { methodRowSchema, methodsHeaderSchema } from './methods.js';
import { modelSchema } from './model.js';
import { endSchema, placementSchema, planHeaderSchema } from './plan.js';
import { replaySchema } from './replay.js';
import { sizeSchema } from './size.js';
import { tiersSchema } from './tiers.js';

/** A file format as the world outside sees it: of NDJSON each line is one of `lines`. */
interface PublishedFormat {
  readonly name: string;
  readonly title: string;
  readonly lines: readonly z.ZodType[];
}

const published: readonly PublishedFormat[] = [
  { name: 'tiers', title: 'Tier profile (tiers.json)', lines: [tiersSchema] },
  { name: 'model', title: 'Served model', lines: [modelSchema] },
  {
    name: 'methods',
    title: 'A line of a method profile (methods.ndjson): the header first, then rows',
    lines: [methodsHeaderSchema, methodRowSchema],
  },
  {
    name: 'contexts',
    title: 'A line of a contexts file (contexts.ndjson): the header first, then rows',
    lines: [contextsHeaderSchema, contextRowSchema],
  },
  {
    name: 'plan',
    title: 'A line of a plan (plan.ndjson): the header, then rows, then the end',
    lines: [planHeaderSchema, placementSchema, endSchema],
  },
  { name: 'replay', title: 'Result of a replay (replay.json)', lines: [replaySchema] },
  { name: 'size', title: 'Result of capacity planning (size.json)', lines: [sizeSchema] },
  { name: 'config', title: 'evicpress.yaml', lines: [configSchema] },
];

/** The published JSON Schemas (draft 2020-12), by file name under docs/schemas. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  return new Map(
    published.map(({ name, title, lines }) => {
      const schema = z.toJSONSchema(lines.length === 1 ? lines[0]! : z.union(lines), {
        io: 'input',
        unrepresentable: 'any',
      });
      const { $schema, ...body } = schema;
      describe(body, fieldMeanings[name] ?? {});
      const file = { $schema, title, ...body };
      return [`${name}.schema.json`, `${JSON.stringify(file, null, 2)}\n`];
    }),
  );
}

/** The parts of a JSON Schema that lead to fields. */
interface SchemaNode {
  description?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly items?: unknown;
  readonly anyOf?: readonly unknown[];
}

/** Writes to every field what it means. @param path of the fields' owner, `tiers[].read`. */
function describe(node: SchemaNode, meanings: Readonly<Record<string, string>>, path = ''): void {
  for (const [name, field] of Object.entries(node.properties ?? {}) as [string, SchemaNode][]) {
    const own = path === '' ? name : `${path}.${name}`;
    const meaning = meanings[own] ?? COMMON[name];
    if (meaning !== undefined) field.description = meaning;
    describe(field, meanings, own);
  }
  for (const each of (node.anyOf ?? []) as SchemaNode[]) describe(each, meanings, path);
  if (node.items !== undefined) describe(node.items as SchemaNode, meanings, `${path}[]`);
}

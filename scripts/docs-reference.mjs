// Writes docs/files.md from the schemas that the program reads files with, and examples that it wrote itself.
// --check only says whether it is current.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jsonSchemas } from '../src/formats/json-schemas.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const profiles = join(root, 'profiles');
/** Longer lists and texts of an example are cut here, and say so. */
const SHOWN_ITEMS = 2;
const SHOWN_CHARACTERS = 80;

const path = join(root, 'docs', 'files.md');
const text = filesPage();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  process.stderr.write('docs/files.md is not current. Write it again: npm run docs\n');
  process.exitCode = 1;
}

function filesPage() {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-files-'));
  try {
    const examples = examplesIn(folder);
    const parts = [...jsonSchemas()].map(([file, text]) => {
      const name = file.replace('.schema.json', '');
      const schema = JSON.parse(text);
      const lines = (schema.anyOf ?? [schema]).map((line) => fieldTable(line, schema.$defs ?? {}));
      return `## ${schema.title}\n\nSchema: [${file}](schemas/${file}).\n\n${lines.join('\n\n')}\n\n${examples[name]}`;
    });
    return `# Every field of every file

Written by \`npm run docs\` from the schemas that the program reads files with; the examples are bundled files and what the program wrote for the bundled request log, long lists cut with "…". In words: [formats.md](formats.md).

${parts.join('\n\n')}
`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fieldTable(schema, defs) {
  return ['| field | type | required | meaning |', '|---|---|---|---|', ...fieldRows(schema, defs, '')].join(
    '\n',
  );
}

/** A row per field, then those of the fields within it: `tiers`, `tiers[].name`. */
function fieldRows(schema, defs, path) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const own = `${path}${name}`;
    const text = (field.description ?? '').replaceAll('|', '\\|');
    return [
      `| \`${own}\` | ${typeOf(field, defs)} | ${required.has(name) ? 'yes' : ''} | ${text} |`,
      ...fieldRows(field, defs, `${own}.`),
      ...(field.items === undefined ? [] : fieldRows(field.items, defs, `${own}[].`)),
    ];
  });
}

function typeOf(field, defs) {
  if (field.$ref !== undefined) return typeOf(defs[field.$ref.split('/').at(-1)] ?? {}, defs);
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(', ');
  if (field.anyOf !== undefined)
    return [...new Set(field.anyOf.map((each) => typeOf(each, defs)))].join(' or ');
  if (field.type === 'array')
    return `list of ${field.items === undefined ? 'anything' : typeOf(field.items, defs)}`;
  if (field.type === 'object' && field.additionalProperties?.type !== undefined)
    return `${typeOf(field.additionalProperties, defs)} by name`;
  return field.type ?? 'anything';
}

/** By format: real files, shortened. */
function examplesIn(folder) {
  const evicpress = (...words) =>
    execFileSync(process.execPath, [join(root, 'bin/evicpress.js'), ...words], { cwd: folder });
  const log = join(profiles, 'traces/mooncake-conversation-1500.jsonl.gz');
  const inputs = ['--tiers', 'h100-host', '--model', 'llama-3.1-8b', '--capacity', 'dram=40GB'];
  evicpress('plan', '-q', '--trace', log, ...inputs);
  evicpress('replay', '-q', log, ...inputs, '--policies', 'lru,belady');
  evicpress('size', '-q', '--trace', log, ...inputs, '--vary', 'dram=40GB..80GB', '--points', '2');
  const made = (name) => readFileSync(join(folder, '.evicpress', name), 'utf8');
  const bundled = (name) => readFileSync(join(profiles, name), 'utf8');
  const planned = made('plan.ndjson').trim().split('\n');
  return {
    tiers: json(JSON.parse(bundled('tiers/h100-host.json'))),
    model: json(JSON.parse(bundled('models.json')).models[0]),
    methods: ndjson(bundled('methods/smollm2-135m/samples.ndjson').split('\n').slice(0, 3)),
    contexts: ndjson(bundled('contexts/samples.ndjson').split('\n').slice(0, 2)),
    plan: ndjson([planned[0], planned[1], planned.at(-1)]),
    replay: json(JSON.parse(made('replay.json'))),
    size: json(JSON.parse(made('size.json'))),
    config: `\`\`\`yaml\n${configExample(folder, evicpress)}\`\`\``,
  };
}

/** What \`init\` writes, without what it found on this machine. */
function configExample(folder, evicpress) {
  evicpress('init', '-q');
  const text = readFileSync(join(folder, 'evicpress.yaml'), 'utf8');
  const found =
    /^ {4}(?!dram:|disk:)[\w-]+: .*\n|^# A server was found.*\n|^# {3}(?!dram:|disk:)[\w-]+: 80GB\n/gm;
  return text
    .replace(found, '')
    .replaceAll(/ {2}# .*/g, '')
    .replaceAll(folder, '/srv/evicpress');
}

function json(value) {
  return `\`\`\`json\n${JSON.stringify(shortened(value), null, 2)}\n\`\`\``;
}

function ndjson(lines) {
  return `\`\`\`json\n${lines.map((line) => JSON.stringify(shortened(JSON.parse(line)))).join('\n')}\n\`\`\``;
}

function shortened(value) {
  if (typeof value === 'string')
    return value.length > SHOWN_CHARACTERS && !/^[0-9a-f]{64}$/.test(value)
      ? `${value.slice(0, SHOWN_CHARACTERS)}…`
      : value;
  if (Array.isArray(value)) {
    const head = value.slice(0, SHOWN_ITEMS).map(shortened);
    return value.length > SHOWN_ITEMS ? [...head, '…'] : head;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === 'log' || key === 'path' ? String(item).split('/').at(-1) : shortened(item),
    ]),
  );
}

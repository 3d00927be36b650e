// Runs the commands of every ```console block in README.md and docs/, page by page in a folder of its own, and
// writes what they print below them. --check only says which page is not current. A block ```console machine
// differs from machine to machine: its commands are run, its output is left as it is. A block ```json NAME is a
// file of the page's folder.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('../', import.meta.url));
const bin = join(root, 'bin/evicpress.js');
const checking = process.argv.includes('--check');
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const BLOCK = /```(console|json)([^\n]*)\n([\s\S]*?)```/g;
/** What a page may take for granted beside what it makes itself. */
const GIVEN = {
  'requests.jsonl': () =>
    gunzipSync(readFileSync(join(root, 'profiles/traces/mooncake-conversation-1500.jsonl.gz'))),
  'contexts.ndjson': () => readFileSync(join(root, 'profiles/contexts/samples.ndjson')),
};

const pages = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md') && (wanted.length === 0 || wanted.includes(name)))
  .map((name) => join('docs', name));
for (const page of pages) {
  const text = readFileSync(join(root, page), 'utf8');
  if (!text.includes('```console')) continue;
  const current = played(text, page);
  if (current === text) continue;
  if (!checking) writeFileSync(join(root, page), current);
  else if (comparable(current) !== comparable(text)) {
    process.stderr.write(
      `${page} is not current. Write it again: npm run docs\n${difference(text, current)}\n`,
    );
    process.exitCode = 1;
  }
}

function played(text, page) {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-docs-'));
  try {
    for (const [name, content] of Object.entries(GIVEN)) writeFileSync(join(folder, name), content());
    return text.replace(BLOCK, (whole, kind, rest, body) => {
      if (kind === 'json') {
        if (rest.trim() !== '') writeFileSync(join(folder, rest.trim()), body);
        return whole;
      }
      const commands = body
        .replaceAll('\\\n', '\\\u0000')
        .split('\n')
        .filter((line) => line.startsWith('$ '));
      const shown = commands.map((line) => {
        const command = line.replaceAll('\\\u0000', '\\\n');
        return `${command}\n${output(command.slice(2), folder, page)}`;
      });
      return rest.trim() === 'machine' ? whole : `\`\`\`console${rest}\n${shown.join('\n')}\`\`\``;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a command prints on both streams at 100 columns, without colour. */
function output(command, folder, page) {
  const script = `evicpress() { "${process.execPath}" "${bin}" "$@"; }\n${command} 2>&1`;
  const env = { ...process.env, COLUMNS: '100', NO_COLOR: '1' };
  const { status, stdout } = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${page}: ${command}\nexit code ${status}\n${stdout}`);
  return stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`;
}

/** Without what no two runs share: durations, dates and the sizes of compressed pages. */
function comparable(text) {
  return text
    .replaceAll(/\bin \d[\d.]* (µs|ms|s|min)\b/g, 'in a time')
    .replaceAll(/\(\d[\d.]* [KM]B\b/g, '(a size');
}

function difference(before, after) {
  const folder = mkdtempSync(join(tmpdir(), 'evicpress-docs-'));
  writeFileSync(join(folder, 'shown'), before);
  writeFileSync(join(folder, 'printed'), after);
  try {
    return execFileSync('diff', ['shown', 'printed'], { cwd: folder, encoding: 'utf8' });
  } catch (error) {
    return error.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

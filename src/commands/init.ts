import { existsSync, readdirSync } from 'node:fs';
import type { Command } from 'commander';
import { EvicpressError } from '../errors.js';
import { CONFIG_NAME, readConfig } from '../formats/config.js';
import { writeWhole } from '../formats/files.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { besideKinds, tierKinds } from '../tiers/index.js';
import type { FoundTier, TierTarget } from '../tiers/kind.js';
import { formats } from '../traces/index.js';
import { firstLineOf } from '../traces/lines.js';

interface Flags extends TerminalFlags {
  readonly force?: boolean;
}

/** What was found here that a configuration can name. */
export interface Findings {
  readonly tiers: readonly FoundTier[];
  readonly links: readonly FoundTier[];
  readonly engines: readonly FoundTier[];
  readonly logs: readonly { readonly path: string; readonly format: string }[];
}

/** `evicpress init`: finds what is here and writes a commented `evicpress.yaml`. */
export default function init(command: Command): void {
  command
    .description('write a commented evicpress.yaml for this machine')
    .option('--force', 'overwrite an evicpress.yaml that is there')
    .addHelpText('after', '\nExamples:\n  evicpress init\n  evicpress init -C /srv/vllm')
    .action(async (_, action: Command) => writeConfig(action.optsWithGlobals<Flags>()));
}

async function writeConfig(flags: Flags): Promise<void> {
  const terminal = openTerminal(flags);
  // One under another name is refused where it is read.
  if (!existsSync(CONFIG_NAME)) await readConfig('.');
  else if (flags.force !== true) {
    throw new EvicpressError(`${CONFIG_NAME} is there already. Edit it, or write a new one with --force.`);
  }
  const findings = await findAll('.');
  await writeWhole(CONFIG_NAME, configText(findings));
  const found = [...findings.tiers, ...findings.links, ...findings.engines];
  terminal.table(
    ['found', 'kind', 'where', 'note'],
    [
      ...found.map(({ target, note }) => [target.name, target.kind, target.location ?? '', note]),
      ...findings.logs.map(({ path, format }) => ['log', format, path, '']),
    ],
  );
  terminal.say(`\nWritten to ${CONFIG_NAME}: read it, and put in what only you know.`);
  terminal.next('evicpress doctor', 'what is missing here, and what it would add');
  terminal.result({ ...findings, output: CONFIG_NAME });
}

async function findAll(folder: string): Promise<Findings> {
  const [tiers, links, engines, logs] = await Promise.all([
    Promise.all(tierKinds.map((kind) => kind.detect(folder))),
    Promise.all(besideKinds.filter((kind) => kind.field === 'links').map((kind) => kind.detect(folder))),
    Promise.all(besideKinds.filter((kind) => kind.field === 'engines').map((kind) => kind.detect(folder))),
    findLogs(folder),
  ]);
  return { tiers: tiers.flat(), links: links.flat(), engines: engines.flat(), logs };
}

/** Files of this folder whose first line is that of a request log. */
async function findLogs(folder: string): Promise<Findings['logs']> {
  const logs: { path: string; format: string }[] = [];
  for (const path of readdirSync(folder).sort()) {
    if (!/\.(jsonl|ndjson|csv|json)(\.gz|\.zst)?$/.test(path)) continue;
    const line = await firstLineOf(path).catch(() => '');
    const format = formats.find((one) => line !== '' && one.sniff(line));
    if (format !== undefined) logs.push({ path, format: format.name });
  }
  return logs;
}

/** The text of `evicpress.yaml`: what was found is set, what must be said is there to be filled in. */
export function configText({ tiers, links, engines, logs }: Findings): string {
  const commented = (found: FoundTier) => `# ${tierLine(found)}`;
  return [
    '# Defaults of evicpress in this folder. Every key is the flag of the same name; flags override it.',
    '',
    '# The served model: a bundled name (see evicpress profile --list) or a JSON file. fp8 caches, tensor-parallel',
    '# degrees and other machines by suffix: llama-3.1-70b@fp8@tp8@h200.',
    ...(engines[0] === undefined
      ? []
      : [`# A server was found at ${engines[0].target.location}: ${engines[0].note}.`]),
    'model: llama-3.1-8b',
    '',
    '# The request log to learn from: Mooncake JSONL and others, plain, .gz or .zst.',
    logs[0] === undefined ? '# trace: requests.jsonl' : `trace: ${quoted(logs[0].path)}`,
    ...logs.slice(1).map(({ path }) => `# trace: ${quoted(path)}`),
    '',
    '# Seconds of time to first token that one unit of answer quality is worth.',
    'alpha: 2',
    '',
    '# Contexts whose answers would be worse than this are not compressed so far.',
    '# minQuality: 0.9',
    '',
    '# Room the cache may have on each tier; without a line, what the profile says.',
    '# capacity:',
    ...tiers.map(({ target }) => `#   ${target.name}: 80GB`),
    '',
    'profile:',
    '  # What evicpress profile tiers measures, fast to slow.',
    '  tier:',
    ...tiers.map((found) => `    ${tierLine(found)}`),
    ...links.map((found) => `    ${tierLine(found)}`),
    ...engines.map((found) => `    ${commented(found)}`),
    '  secondsPerTier: 20',
    '  # How methods are profiled: embedded needs no GPU and no Python.',
    '  runner: embedded',
    '',
    'replay:',
    '  policies: [full-prefill, lru, belady, evicpress]',
    '  warm: 0.5',
    '',
  ].join('\n');
}

function tierLine({ target, note }: FoundTier): string {
  return `${target.name}: ${quoted(targetText(target))}  # ${note}`;
}

function targetText({ kind, location }: TierTarget): string {
  if (location === undefined) return kind;
  return location.startsWith(`${kind}:`) || location.startsWith(`${kind}s:`)
    ? location
    : `${kind}:${location}`;
}

/** Quotes only where YAML needs them. */
function quoted(text: string): string {
  return /^[\p{L}\p{N}_./~][\p{L}\p{N}_./:~+=-]*(?<!:)$/u.test(text) ? text : JSON.stringify(text);
}

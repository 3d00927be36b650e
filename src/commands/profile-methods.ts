import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { errors, printable } from '../errors.js';
import { PROFILES_FOLDER, RESULTS_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { readContexts } from '../formats/contexts.js';
import { type MethodRow, writeMethods } from '../formats/methods.js';
import { DEFAULT_METHODS, DEFAULT_RATIOS, listConfigurations } from '../methods/configurations.js';
import { openEmbeddedRunner } from '../methods/embedded/runner.js';
import { countEntries, type Journal, openJournal } from '../methods/journal.js';
import { runProfile } from '../methods/profile-run.js';
import { METRICS, type Metric, methodRows } from '../methods/rows.js';
import type { ProfiledContext, Runner } from '../methods/runner.js';
import { methodsTable } from '../report/methods-table.js';
import { openTerminal, type Terminal, type TerminalFlags } from '../report/terminal.js';
import { formatSeconds, parseNumber } from '../units.js';
import { takeLock } from '../workflows/refresh/lock.js';

interface MethodsFlags extends TerminalFlags {
  readonly runner?: string;
  readonly contexts?: readonly string[];
  readonly methods?: string;
  readonly ratios?: string;
  readonly queries?: string;
  readonly maxContexts?: string;
  readonly answerTokens?: string;
  readonly metric?: string;
  readonly longContexts?: string;
  readonly resume?: boolean;
  readonly output?: string;
}

const DEFAULT_QUERIES = '5';
/** Short answers keep to the point; a long one of a small model wanders and adds noise, not information. */
const DEFAULT_ANSWER_TOKENS = '32';

/** `evicpress profile methods`. */
export function addProfileMethods(command: Command): Command {
  return command
    .description('measure what each compression does to the answers about your contexts')
    .option('--runner <name>', 'embedded (default): a small model in this process, no Python, no GPU')
    .option('--contexts <file...>', 'contexts with text and queries (default: the bundled samples)')
    .option('--methods <list>', `methods, comma-separated (default: ${DEFAULT_METHODS.join(',')})`)
    .option('--ratios <list>', `fractions to remove (default: ${DEFAULT_RATIOS.join(',')})`)
    .option('--queries <n>', `queries per context, at most (default: ${DEFAULT_QUERIES})`)
    .option('--max-contexts <n>', 'take only the first n contexts')
    .option('--answer-tokens <n>', `length of an answer, at most (default: ${DEFAULT_ANSWER_TOKENS})`)
    .option('--metric <list>', `what quality means: ${METRICS.join(', ')} (default: ${METRICS[0]})`)
    .option('--long-contexts <what>', "contexts longer than the model's window: cut (default) or refuse")
    .option('--resume', 'go on where an earlier run stopped')
    .option('-o, --output <file>', 'where the profile goes (default: .evicpress/methods.ndjson)')
    .addHelpText('after', EXAMPLES)
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as MethodsFlags));
}

const EXAMPLES = `
Examples:
  evicpress profile methods --contexts contexts.ndjson --methods keydiff,snapkv,int4 --ratios 0.3,0.5,0.7
  evicpress profile methods --contexts contexts.ndjson --resume`;

async function run(flags: MethodsFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const settings = await readSettings(flags);
  const output = flags.output ?? join(RESULTS_FOLDER, 'methods.ndjson');
  const journalPath = output === '-' ? join(RESULTS_FOLDER, 'methods.journal.ndjson') : journalOf(output);
  const lockFolder = `${journalPath}.lock`;
  const lock = await takeLock(lockFolder);
  const stop = stopOnInterrupt(terminal);
  try {
    if (flags.resume !== true) await announceEarlierRun(journalPath, terminal);
    const startedAt = performance.now();
    const runner = await openEmbeddedRunner(settings.longContexts, terminal.progress);
    const journal = await openJournal(journalPath, flags.resume === true);
    try {
      const measured = await measure(settings, runner, journal, terminal, stop.signal);
      await writeMethods(output, measured.header, measured.rows);
      const elapsedSeconds = (performance.now() - startedAt) / 1000;
      terminal.finish();
      if (output !== '-') show(terminal, settings, measured, output, elapsedSeconds);
      terminal.result({ output, journal: journalPath, ...measured.header, elapsedSeconds });
    } finally {
      await journal.close();
      await runner.close();
    }
  } finally {
    stop.release();
    terminal.finish();
    await lock.release();
    await rmdir(lockFolder).catch(() => undefined);
  }
}

/** What a run found: the profile's header and rows. */
interface Measured {
  readonly header: Parameters<typeof writeMethods>[1] & { readonly configurations: number };
  readonly rows: readonly MethodRow[];
}

async function measure(
  { contexts, methods, ratios, metrics, answerTokens }: Settings,
  runner: Runner,
  journal: Journal,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Measured> {
  const configurations = listConfigurations(runner, methods, ratios);
  const { progress: onProgress, warn: onWarning } = terminal;
  const settings = { contexts, configurations, maxAnswerTokens: answerTokens };
  const entries = await runProfile({ runner, journal, ...settings, onProgress, onWarning, signal });
  return {
    header: {
      model: runner.model,
      kvDtype: runner.kvDtype,
      runner: runner.name,
      source: 'measured',
      measuredAt: new Date().toISOString(),
      contexts: contexts.length,
      configurations: configurations.length,
      answerTokens,
    },
    rows: metrics.flatMap((metric) => methodRows(runner, contexts, entries, metric)),
  };
}

function show(
  terminal: Terminal,
  { contexts, metrics }: Settings,
  { header, rows }: Measured,
  output: string,
  elapsedSeconds: number,
): void {
  methodsTable(
    terminal,
    rows.filter((row) => row.metric === metrics[0]),
  );
  terminal.say(
    `${contexts.length} contexts × ${header.configurations} configurations in ${formatSeconds(elapsedSeconds)} (measured; ${header.runner} runner, ${header.model}): ${output}`,
  );
}

interface Settings {
  readonly contexts: readonly ProfiledContext[];
  readonly methods: readonly string[];
  readonly ratios: readonly number[];
  readonly metrics: readonly Metric[];
  readonly answerTokens: number;
  readonly longContexts: 'cut' | 'refuse';
}

async function readSettings(flags: MethodsFlags): Promise<Settings> {
  const config = await readConfig('.');
  const runner = flags.runner ?? config.profile?.runner ?? 'embedded';
  if (runner !== 'embedded') throw errors.unknownName('runner', runner, ['embedded']);
  const longContexts = flags.longContexts ?? 'cut';
  if (longContexts !== 'cut' && longContexts !== 'refuse') {
    throw errors.unknownName('value of --long-contexts', longContexts, ['cut', 'refuse']);
  }
  const metrics = splitList(flags.metric) ?? [METRICS[0]];
  for (const metric of metrics) {
    if (!METRICS.includes(metric as Metric)) throw errors.unknownName('metric', metric, METRICS);
  }
  const count = (text: string, flag: string) => Math.trunc(parseNumber(text, flag, { min: 1 }));
  const queries = count(flags.queries ?? config.profile?.queries ?? DEFAULT_QUERIES, '--queries');
  const files = flags.contexts ?? (config.contexts === undefined ? [] : [config.contexts]);
  const limit = flags.maxContexts === undefined ? undefined : count(flags.maxContexts, '--max-contexts');
  return {
    contexts: await readProfiledContexts(files.length > 0 ? files : [SAMPLES], queries, limit),
    methods: splitList(flags.methods) ?? config.profile?.methods ?? DEFAULT_METHODS,
    ratios:
      (splitList(flags.ratios) ?? config.profile?.ratios)?.map((text) => parseNumber(text, '--ratios')) ??
      DEFAULT_RATIOS,
    metrics: metrics as Metric[],
    answerTokens: count(flags.answerTokens ?? DEFAULT_ANSWER_TOKENS, '--answer-tokens'),
    longContexts,
  };
}

const SAMPLES = join(PROFILES_FOLDER, 'contexts', 'samples.ndjson');

/** The contexts of all files with their first queries. @throws EvicpressError for one without text or queries. */
async function readProfiledContexts(
  files: readonly string[],
  queries: number,
  limit: number | undefined,
): Promise<ProfiledContext[]> {
  const contexts: ProfiledContext[] = [];
  for (const file of files) {
    const { rows } = await readContexts(file, 'profiling');
    for (const row of rows) {
      const asked = (row.queries ?? []).filter((query) => query.trim() !== '').slice(0, queries);
      if (asked.length === 0) {
        throw errors.badFile(
          file,
          undefined,
          `context "${printable(row.context)}" has no queries. Give it some questions to be answered from its text.`,
        );
      }
      if (contexts.some((other) => other.context === row.context)) {
        throw errors.badFile(
          file,
          undefined,
          `context "${printable(row.context)}" was given before, in another file.`,
        );
      }
      contexts.push({
        context: row.context,
        ...(row.class === undefined ? {} : { class: row.class }),
        text: row.text!,
        queries: asked,
      });
    }
  }
  return contexts.slice(0, limit);
}

function splitList(text: string | undefined): string[] | undefined {
  return text
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function journalOf(output: string): string {
  return `${output.replace(/\.ndjson$/, '')}.journal.ndjson`;
}

async function announceEarlierRun(path: string, terminal: Terminal): Promise<void> {
  const count = await countEntries(path);
  if (count > 0)
    terminal.warn(
      `${path} holds ${count} configurations of an earlier run, which are measured anew: --resume would keep them.`,
    );
}

/** The first Ctrl-C ends the run after the configuration in flight, the second at once. */
function stopOnInterrupt(terminal: Terminal): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    terminal.warn('stopping after the configuration in flight; Ctrl-C again stops at once.');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

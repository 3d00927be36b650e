import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { type MethodRow, writeMethods } from '../formats/methods.js';
import { listConfigurations } from '../methods/configurations.js';
import { cacheFolder } from '../methods/embedded/cache-folder.js';
import { ensureModels } from '../methods/embedded/models.js';
import { openEmbeddedRunner, openSimilarity } from '../methods/embedded/runner.js';
import { countEntries, type Journal, openJournal } from '../methods/journal.js';
import { openKvpressRunner } from '../methods/kvpress-runner.js';
import { runProfile } from '../methods/profile-run.js';
import { methodRows } from '../methods/rows.js';
import type { Runner } from '../methods/runner.js';
import { methodsTable } from '../report/methods-table.js';
import { openTerminal, type Terminal } from '../report/terminal.js';
import { formatSeconds } from '../units.js';
import { takeLock } from '../workflows/refresh/lock.js';
import {
  METHODS_OPTIONS,
  type MethodsFlags,
  type MethodsSettings,
  readSettings,
} from './profile-methods-settings.js';

/** `evicpress profile methods`. */
export function addProfileMethods(command: Command): Command {
  for (const [flags, description] of METHODS_OPTIONS) command.option(flags, description);
  return command
    .description('measure what each compression does to the answers about your contexts')
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
    const runner = await openRunner(settings, terminal);
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

/** The runner that the settings name. @throws EvicpressError where it cannot be had here. */
export function openRunner(
  settings: MethodsSettings,
  { progress }: Pick<Terminal, 'progress'>,
): Promise<Runner> {
  const { kvpress, longContexts } = settings;
  if (kvpress === undefined) return openEmbeddedRunner(longContexts, progress);
  // The sentence encoder is only needed for the answers, so the first answer loads it.
  let similarity: Promise<Runner['similarity']> | undefined;
  return openKvpressRunner(
    {
      ...kvpress,
      longContexts,
      similarity: async (reference, candidate) => {
        similarity ??= ensureModels(cacheFolder(), progress).then(openSimilarity);
        return (await similarity)(reference, candidate);
      },
    },
    progress,
  );
}

/** What a run found: the profile's header and rows. */
interface Measured {
  readonly header: Parameters<typeof writeMethods>[1] & { readonly configurations: number };
  readonly rows: readonly MethodRow[];
}

async function measure(
  { contexts, methods, ratios, metrics, answerTokens, budgetSeconds }: MethodsSettings,
  runner: Runner,
  journal: Journal,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Measured> {
  const configurations = listConfigurations(runner, methods, ratios);
  const { progress: onProgress, warn: onWarning } = terminal;
  const budget = budgetSeconds === undefined ? {} : { budgetSeconds };
  const settings = { contexts, configurations, maxAnswerTokens: answerTokens, ...budget };
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
  { contexts, metrics }: MethodsSettings,
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
  terminal.next('evicpress report', 'quality curves with error bars; then evicpress plan uses them');
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

function journalOf(output: string): string {
  return `${output.replace(/\.ndjson$/, '')}.journal.ndjson`;
}

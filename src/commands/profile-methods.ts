import { rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EvicpressError, printable } from '../errors.js';
import { BUNDLED_METHODS, profilePath, RESULTS_FOLDER } from '../formats/bundled.js';
import { cacheFolder } from '../formats/cache-folder.js';
import { expectWritable } from '../formats/files.js';
import { type MethodRow, readMethods, writeMethods } from '../formats/methods.js';
import { listConfigurations } from '../methods/configurations.js';
import { ensureModels } from '../methods/embedded/models.js';
import { openEmbeddedRunner, openSimilarity } from '../methods/embedded/runner.js';
import { countEntries, type Journal, openJournal } from '../methods/journal.js';
import { openKvpressRunner } from '../methods/kvpress-runner.js';
import { openOpenAiRunner } from '../methods/openai-runner.js';
import { buildProfile, type ProfileResult } from '../methods/profile.js';
import { runProfile } from '../methods/profile-run.js';
import { completeQueries } from '../methods/queries.js';
import type { ProfiledContext, Runner } from '../methods/runner.js';
import { contextTable } from '../report/context-table.js';
import { findings, methodsTable } from '../report/methods-table.js';
import { openTerminal, type Terminal } from '../report/terminal.js';
import { formatCounted, formatSeconds } from '../units.js';
import { takeLock } from '../workflows/refresh/lock.js';
import { listProfiles } from './profile-list.js';
import {
  METHODS_OPTIONS,
  type MethodsFlags,
  type MethodsSettings,
  readSettings,
  unusedFlags,
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
  if (flags.list === true) return listProfiles(terminal);
  const settings = await readSettings(flags);
  const output = flags.output ?? join(RESULTS_FOLDER, 'methods.ndjson');
  const journalPath = journalOf(output);
  const lockFolder = `${journalPath}.lock`;
  await expectWritable(output);
  for (const warning of unusedFlags(flags, settings)) terminal.warn(warning);
  // Behind what the lock itself puts away: a second Ctrl-C and a full disk leave no folder either.
  const lock = await takeLock(lockFolder).finally(() => process.once('exit', () => removeEmpty(lockFolder)));
  const stop = stopOnInterrupt(terminal);
  try {
    if (flags.resume !== true) await announceEarlierRun(journalPath, terminal);
    const startedAt = performance.now();
    const runner = await openRunner(settings, terminal);
    const journal = await openJournal(journalPath, flags.resume === true);
    try {
      if (journal.lostLines > 0)
        terminal.warn(
          `${journalPath} is damaged: ${formatCounted(journal.lostLines, 'line')} of it cannot be read, and what they held is measured anew.`,
        );
      const measured = await measure(settings, runner, journal, terminal, stop.signal);
      if (measured.result.rows.length === 0) throw nothingMeasured(flags.budget);
      await writeMethods(output, measured.header, measured.result.rows);
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
  }
}

/** A profile without a row would replace one that has some, and plan nothing. */
function nothingMeasured(budget: string | undefined): EvicpressError {
  return new EvicpressError(
    budget === undefined
      ? 'No configuration could be measured, for the reasons above: no profile was written. Take other contexts or methods.'
      : `--budget ${printable(budget)} is over before anything is measured: no profile was written. Give it more time, or fewer contexts with --max-contexts.`,
  );
}

/** The runner that the settings name. @throws EvicpressError where it cannot be had here. */
export async function openRunner(
  settings: MethodsSettings,
  { progress }: Pick<Terminal, 'progress'>,
): Promise<Runner> {
  const { kvpress, openai, longContexts } = settings;
  if (kvpress === undefined && openai === undefined) return openEmbeddedRunner(longContexts, progress);
  // The sentence encoder is only needed for the answers, so the first answer loads it.
  let encoder: Promise<Runner['similarity']> | undefined;
  const similarity: Runner['similarity'] = async (reference, candidate) => {
    encoder ??= ensureModels(cacheFolder(), progress).then(openSimilarity);
    return (await encoder)(reference, candidate);
  };
  if (openai !== undefined) return openOpenAiRunner({ ...openai, longContexts, similarity });
  return openKvpressRunner({ ...kvpress!, longContexts, similarity }, progress);
}

/** What a run found: the profile's header and rows. */
interface Measured {
  readonly header: Parameters<typeof writeMethods>[1] & { readonly configurations: number };
  readonly result: ProfileResult;
}

async function measure(
  settings: MethodsSettings,
  runner: Runner,
  journal: Journal,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Measured> {
  const { methods, ratios, metrics, answerTokens, budgetSeconds, heldOut, queries } = settings;
  const configurations = listConfigurations(runner, methods, ratios);
  const contexts = await completeQueries(settings, runner, journal, terminal, signal);
  const { progress: onProgress, warn: onWarning } = terminal;
  const profiled = await runProfile({
    ...{ runner, journal, contexts, configurations, onProgress, onWarning, signal },
    maxAnswerTokens: answerTokens,
    answers: answersFor(settings),
    ...(budgetSeconds === undefined ? {} : { budgetSeconds, reference: await bundledCurves() }),
  });
  const heldOutFrom = (context: ProfiledContext) =>
    // Where there are too few queries for both, the profile keeps at least half.
    Math.min(queries, Math.max(context.queries.length - heldOut, Math.ceil(context.queries.length / 2)));
  const result = buildProfile(
    { runner, contexts, configurations, metrics, ...(heldOut > 0 ? { heldOutFrom } : {}) },
    profiled,
  );
  const { calibration, classes, heldOutError } = result;
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
      ...(budgetSeconds === undefined ? {} : { budgetSeconds, measured: profiled.entries.length }),
      ...(calibration && { calibration: figuresOf(calibration) }),
      ...(classes && { classes: figuresOf(classes) }),
      ...(heldOutError === undefined ? {} : { heldOutError }),
    },
    result,
  };
}

/** What a budget starts from: the curves that ship with the package. */
async function bundledCurves(): Promise<readonly MethodRow[]> {
  const { rows } = await readMethods(profilePath('methods', BUNDLED_METHODS));
  return rows;
}

/** Answers are the dear part: written where a metric needs them. Task scores come along with them. */
function answersFor({ metrics }: MethodsSettings): 'all' | 'some' | 'none' {
  if (metrics.includes('answer-similarity')) return 'all';
  return metrics.includes('calibrated-similarity') ? 'some' : 'none';
}

/** The numbers of a report, without what computes with them. */
function figuresOf<T extends object>(report: T): T {
  return Object.fromEntries(
    Object.entries(report).flatMap(([name, value]) =>
      typeof value === 'function'
        ? []
        : [[name, typeof value === 'number' ? Number(value.toFixed(4)) : value]],
    ),
  ) as T;
}

function show(
  terminal: Terminal,
  { contexts, metrics }: MethodsSettings,
  { header, result }: Measured,
  output: string,
  elapsedSeconds: number,
): void {
  const rows = result.rows.filter((row) => row.metric === metrics[0]);
  methodsTable(terminal, rows);
  contextTable(terminal, rows);
  for (const line of findings(header, result.rows)) terminal.say(line);
  terminal.say(
    `${formatCounted(contexts.length, 'context')} × ${formatCounted(header.configurations, 'configuration')} in ${formatSeconds(elapsedSeconds)} (measured; ${header.runner} runner, ${header.model}): ${output}`,
  );
  terminal.next('evicpress report', 'quality curves with error bars; then evicpress plan uses them');
}

async function announceEarlierRun(path: string, terminal: Terminal): Promise<void> {
  const count = await countEntries(path);
  if (count > 0)
    terminal.warn(
      `${path} holds ${formatCounted(count, 'configuration')} of an earlier run, which ${count === 1 ? 'is' : 'are'} measured anew: --resume would keep ${count === 1 ? 'it' : 'them'}.`,
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

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It was never made, or another run has it.
  }
}

/** The journal lies beside the profile; where that goes to a stream or a device, among the results. */
function journalOf(output: string): string {
  const isStream = output === '-' || statSync(output, { throwIfNoEntry: false })?.isFile() === false;
  if (isStream) return join(RESULTS_FOLDER, 'methods.journal.ndjson');
  return `${output.replace(/\.ndjson$/, '')}.journal.ndjson`;
}

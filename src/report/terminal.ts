import Table from 'cli-table3';
import ora, { type Ora } from 'ora';
import { EvicpressError, printable } from '../errors.js';
import type { OnProgress, ProgressEvent } from '../progress.js';
import { formatSeconds } from '../units.js';
import { narrowTable, terminalWidth } from './narrow-table.js';

/** How a command speaks to its user. Data goes to standard output, everything else to standard error. */
export interface Terminal {
  readonly json: boolean;
  /** Text for people; silent with --json and --quiet. */
  say(text: string): void;
  /** A warning: shown unless --quiet, also beside --json. */
  warn(text: string): void;
  /** A table for people; the first column is left-aligned, the others right. Silent with --json. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
  /** The one JSON object of --json; silent without it. */
  result(value: unknown): void;
  /** Progress of long work: a spinner on a terminal, NDJSON with --progress json, else nothing. */
  readonly progress: OnProgress;
  /** Ends the spinner. */
  finish(): void;
}

/** The global flags as commander hands them over. */
export interface TerminalFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress?: string;
}

/** Opens the terminal for a command. @throws EvicpressError on an unknown form of progress. */
export function openTerminal(flags: TerminalFlags): Terminal {
  const json = flags.json === true;
  const quiet = flags.quiet === true;
  const form = flags.progress ?? (process.stderr.isTTY && !quiet && !json ? 'text' : 'none');
  if (!['text', 'json', 'none'].includes(form)) {
    throw new EvicpressError(`--progress: "${printable(form)}" is unknown. Pick one of: text, json, none.`);
  }
  const spinner = createSpinner(form);
  return {
    json,
    say(text) {
      if (json || quiet) return;
      spinner.finish();
      process.stdout.write(`${text}\n`);
    },
    warn(text) {
      if (quiet) return;
      spinner.finish();
      process.stderr.write(`warning: ${text}\n`);
    },
    table(head, rows) {
      if (json) return;
      spinner.finish();
      process.stdout.write(`${fittingTable(head, rows, terminalWidth())}\n`);
    },
    result(value) {
      if (!json) return;
      spinner.finish();
      process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    progress: spinner.update,
    finish: spinner.finish,
  };
}

/** The table, or where it is wider than the terminal, a block per row. */
export function fittingTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string {
  const wide = tableText(head, rows);
  const widest = Math.max(...wide.split('\n').map((line) => line.length));
  return width === undefined || widest <= width ? wide : narrowTable(head, rows);
}

/** A table without vertical rules: the first column left-aligned, the others right. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      right: '',
      'right-mid': '',
      mid: '',
      'mid-mid': '',
      middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push([...row]);
  const [first, ...rest] = table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
  const width = Math.max(...[first!, ...rest].map((line) => line.length));
  return [first, '─'.repeat(width), ...rest].join('\n');
}

function createSpinner(form: string): { update: OnProgress; finish: () => void } {
  if (form === 'none') return { update: () => undefined, finish: () => undefined };
  if (form === 'json') {
    return { update: (event) => process.stderr.write(`${JSON.stringify(event)}\n`), finish: () => undefined };
  }
  let spinner: Ora | undefined;
  let startedAt = 0;
  return {
    update(event) {
      if (spinner === undefined) {
        startedAt = performance.now();
        spinner = ora({ stream: process.stderr, discardStdin: false }).start();
      }
      spinner.text = progressText(event, (performance.now() - startedAt) / 1000);
    },
    finish() {
      spinner?.stop();
      spinner = undefined;
    },
  };
}

function progressText({ stage, done, total, note }: ProgressEvent, elapsedSeconds: number): string {
  const position = total > 0 ? ` ${done}/${total}` : '';
  const left =
    total > 0 && done > 0 && done < total
      ? `, ${formatSeconds((elapsedSeconds / done) * (total - done))} left`
      : '';
  return `${stage}${position}${note === undefined ? '' : `, ${note}`}${left}`;
}

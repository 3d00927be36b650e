import type { Ora } from 'ora';
import { EvicpressError, printable } from '../errors.js';
import type { OnProgress, ProgressEvent } from '../progress.js';
import { formatSeconds, significant } from '../units.js';
import { paint, showsColour } from './colour.js';
import { fittingTable } from './table-text.js';
import { terminalWidth, wrapped } from './wrap.js';

/** How a command speaks to its user. Data goes to standard output, everything else to standard error. */
export interface Terminal {
  readonly json: boolean;
  /** Text for people, wrapped to the terminal; silent with --json and --quiet. */
  say(text: string): void;
  /** The sentence to take away, for somebody who reads nothing else. */
  conclude(sentence: string): void;
  /** The command that is useful after this one. */
  next(command: string, why?: string): void;
  /** A warning: shown unless --quiet, also beside --json. */
  warn(text: string): void;
  /** A table for people: figures right-aligned, words left. Silent with --json. */
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
  let isFirst = true;
  const say = (text: string) => {
    if (json || quiet) return;
    spinner.finish();
    isFirst = false;
    process.stdout.write(`${wrapped(text, terminalWidth(process.stdout))}\n`);
  };
  return {
    json,
    say,
    conclude(sentence) {
      say(`${isFirst ? '' : '\n'}${paint('strong', sentence)}`);
    },
    next(command, why) {
      say(
        `${paint('faint', 'Next:')} ${paint('command', command)}${why === undefined ? '' : `  ${paint('faint', `# ${why}`)}`}`,
      );
    },
    warn(text) {
      if (quiet) return;
      spinner.finish();
      const line = `${paint('notice', 'warning:', process.stderr)} ${text}`;
      process.stderr.write(`${wrapped(line, terminalWidth(process.stderr))}\n`);
    },
    table(head, rows) {
      if (json) return;
      spinner.finish();
      isFirst = false;
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

function createSpinner(form: string): { update: OnProgress; finish: () => void } {
  if (form === 'none') return { update: () => undefined, finish: () => undefined };
  if (form === 'json') {
    return { update: (event) => process.stderr.write(`${JSON.stringify(event)}\n`), finish: () => undefined };
  }
  let spinner: Ora | undefined;
  let text: string | undefined;
  const startedAt = performance.now();
  // The spinner is loaded when there is something to wait for; what is done by then never shows one.
  const start = async () => {
    const { default: ora } = await import('ora');
    const color = showsColour(process.stderr) ? 'cyan' : false;
    if (text !== undefined)
      spinner = ora({ stream: process.stderr, discardStdin: false, color, text }).start();
  };
  return {
    update(event) {
      const isFirst = text === undefined;
      text = progressText(event, (performance.now() - startedAt) / 1000);
      if (spinner !== undefined) spinner.text = text;
      else if (isFirst) void start();
    },
    finish() {
      text = undefined;
      spinner?.stop();
      spinner = undefined;
    },
  };
}

/** `dram read 3/8 · 12 GB/s · 9 s left`: what, how far, how fast, how long yet. */
function progressText({ stage, done, total, note }: ProgressEvent, elapsedSeconds: number): string {
  if (total === 0) return [stage, note].filter((part) => part !== undefined).join(' · ');
  const rate = note ?? (done > 0 ? `${significant(done / elapsedSeconds, 2)}/s` : undefined);
  const left =
    done > 0 && done < total ? `${formatSeconds((elapsedSeconds / done) * (total - done))} left` : undefined;
  return [`${stage} ${done}/${total}`, rate, left].filter((part) => part !== undefined).join(' · ');
}

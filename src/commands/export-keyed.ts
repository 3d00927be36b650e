import { readFile } from 'node:fs/promises';
import { keyedIds } from '../engines/chunk-hashes.js';
import { keyedLog, keyedPlan } from '../engines/keyed.js';
import { EvicpressError, printable } from '../errors.js';
import { systemFault, writePieces } from '../formats/files.js';
import { readPlan, writePlan } from '../formats/plan.js';
import type { Terminal } from '../report/terminal.js';
import { loadTrace } from '../traces/load.js';

export interface KeyedFlags {
  readonly keyedIds?: string;
  readonly trace?: string;
  readonly plan: string;
  readonly output?: string;
}

/**
 * `export --keyed-ids`: a copy of a log or plan that can leave the house.
 * @throws EvicpressError where there is no output, or the secret cannot be read or is too short.
 */
export async function exportKeyed(
  flags: KeyedFlags & { readonly keyedIds: string },
  terminal: Terminal,
): Promise<void> {
  const { trace, output } = flags;
  if (output === undefined)
    throw new EvicpressError('--keyed-ids writes a copy of a log or plan: say where with -o FILE.');
  const rename = keyedIds(await secretOf(flags.keyedIds));
  if (trace === undefined) {
    const { header, rows } = keyedPlan(await readPlan(flags.plan), rename);
    await writePlan(output, header, rows());
  } else {
    const log = await loadTrace(trace);
    if (log.reuse === 'documents')
      throw new EvicpressError(
        `${printable(trace)}: logs of documents cannot be written in the native form.`,
      );
    await writePieces(output, keyedLog(log, rename));
  }
  // With `-o -` standard output is the copy and nothing else.
  if (output === '-') return;
  terminal.say(`Keyed copy of ${printable(trace ?? flags.plan)} written to ${printable(output)}.`);
  terminal.result({ source: trace ?? flags.plan, output, keyed: true });
}

/** `env:NAME` and `@FILE` keep the secret out of the list of processes; anything else is the secret itself. */
async function secretOf(given: string): Promise<string> {
  if (given.startsWith('env:')) {
    const secret = process.env[given.slice(4)];
    if (secret === undefined)
      throw new EvicpressError(`--keyed-ids: the environment has no ${printable(given.slice(4))}.`);
    return secret;
  }
  if (!given.startsWith('@')) return given;
  try {
    return (await readFile(given.slice(1), 'utf8')).trim();
  } catch (error) {
    throw systemFault(error, given.slice(1));
  }
}

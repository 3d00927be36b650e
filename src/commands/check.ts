import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { EvicpressError, printable } from '../errors.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { formatCount } from '../units.js';
import { surroundingsOf } from '../workflows/check/surroundings.js';
import { checkFile } from '../workflows/check-file.js';

/** `evicpress check`: every fault of any file of ours, with its line. */
export default function check(command: Command): void {
  command
    .argument('<files...>', 'tier, model and method profiles, contexts, plans, results, evicpress.yaml, logs')
    .addHelpText(
      'after',
      `
Examples:
  evicpress check evicpress.yaml .evicpress/*
  evicpress check requests.jsonl --json`,
    )
    .action(async (files: string[], _, cmd: Command) => run(files, cmd.optsWithGlobals() as TerminalFlags));
}

async function run(paths: readonly string[], flags: TerminalFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const reasons = await Promise.all(paths.map(whyPassedOver));
  const passedOver = paths.filter((_, i) => reasons[i] !== undefined);
  const surroundings = await surroundingsOf(paths);
  const files = [];
  for (const [i, path] of paths.entries()) {
    // What a pattern like .evicpress/* brings along; named alone it is a mistake, and the reader says which.
    if (reasons[i] !== undefined && passedOver.length < paths.length)
      terminal.say(`${printable(path)}: ${reasons[i]}, passed over`);
    else files.push(await checkFile(path, surroundings));
  }
  let total = 0;
  for (const { path, kind, faults, more } of files) {
    total += faults.length + more;
    if (faults.length === 0) terminal.say(`${printable(path)}: ${kind}, no fault found`);
    for (const { line, what } of faults)
      terminal.say(`${printable(line === undefined ? path : `${path}:${line}`)}: ${what}`);
    if (more > 0) terminal.say(`${printable(path)}: and ${formatCount(more)} more`);
  }
  terminal.result({ files, passedOver: passedOver.length < paths.length ? passedOver : [], faults: total });
  if (total > 0)
    throw new EvicpressError(
      `${formatCount(total)} fault${total === 1 ? '' : 's'} in ${files.filter((file) => file.faults.length > 0).length} of ${files.length} files. Mend the lines named and check again.`,
    );
}

/** Why a path is not checked although it is there; undefined for what is. */
async function whyPassedOver(path: string): Promise<string | undefined> {
  if (path.endsWith('.html')) return 'a page';
  const info = await stat(path).catch(() => undefined);
  return info?.isDirectory() === true ? 'a folder' : undefined;
}

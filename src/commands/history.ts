import type { Command } from 'commander';
import { printable } from '../errors.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { formatSeconds, formatShare } from '../units.js';
import { PUBLISH_FOLDER } from '../workflows/generations.js';
import { type PastGeneration, pastGenerations } from '../workflows/refresh/history.js';

interface HistoryFlags extends TerminalFlags {
  readonly state: string;
}

/** `evicpress history`: published plans, with what they promised and what came of it. */
export default function history(command: Command): void {
  command
    .option('--state <folder>', 'where plans are published', PUBLISH_FOLDER)
    .addHelpText('after', '\nExamples:\n  evicpress history\n  evicpress history --json')
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as HistoryFlags));
}

async function run(flags: HistoryFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const past = await pastGenerations(flags.state);
  if (past.length === 0) terminal.say(`${flags.state}: nothing has been published yet.`);
  else
    terminal.table(
      ['generation', 'published', 'gain', 'TTFT promised', 'TTFT seen', 'hits promised', 'hits seen'],
      past.map((generation) => [
        nameOf(generation),
        generation.publishedAt.slice(0, 19).replace('T', ' '),
        share(generation.gain),
        seconds(generation.expected?.meanTtftSeconds),
        seconds(generation.seen?.meanTtftSeconds),
        share(generation.expected?.hitShare),
        share(generation.seen?.hitShare),
      ]),
    );
  for (const { generation, reason } of past) terminal.say(`${generation}: ${printable(reason, 1000)}`);
  terminal.result({ folder: flags.state, generations: past });
}

function nameOf({ generation, inForce, withdrawnAt }: PastGeneration): string {
  if (inForce) return `${generation} in force`;
  return withdrawnAt === undefined ? String(generation) : `${generation} withdrawn`;
}

function share(value: number | undefined): string {
  return value === undefined ? '-' : formatShare(value);
}

function seconds(value: number | undefined): string {
  return value === undefined ? '-' : formatSeconds(value);
}

import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Command } from 'commander';
import { EvicpressError, errors, systemFault } from '../errors.js';
import { BUNDLED_METHODS, PROFILES_FOLDER } from '../formats/bundled.js';
import { CONFIG_NAME } from '../formats/config.js';
import { makeFolder } from '../make-folder.js';
import { paint } from '../report/colour.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';

interface DemoFlags extends TerminalFlags {
  readonly output: string;
}

const FOLDER = 'evicpress-demo';
const LOG = 'requests.jsonl';
const MARK = '# Written by evicpress demo.';

/**
 * What the demo serves: a model whose methods were profiled where the profile is from is not among the bundled
 * ones, so qualities are assumed to carry over and every command says so. Memory and disk are scarce, for
 * with room for everything there is nothing to decide.
 */
const CONFIG = `${MARK} Bundled reference figures stand for a GPU host; measure yours with evicpress profile.
model: llama-3.1-8b
tiers: h100-host
methods: ${BUNDLED_METHODS}
trace: ${LOG}
capacity:
  dram: 40GB
  ssd: 200GB
meanQuality: 0.97
replay:
  policies: [full-prefill, lru, lru+snapkv@0.5, belady, evicpress]
  engines: 4
`;

interface Step {
  /** What the command is for, for somebody who sees it for the first time. */
  readonly says: string;
  readonly words: readonly string[];
}

/** `evicpress demo`: every stage once, by the commands a user would type. */
export default function demo(command: Command): void {
  command
    .option('-o, --output <dir>', 'folder to play in; it stays, for you to go on', FOLDER)
    .addHelpText('after', '\nExamples:\n  evicpress demo\n  evicpress demo -o /tmp/look')
    .action(async (_, action: Command) => run(action.optsWithGlobals<DemoFlags>()));
}

async function run(flags: DemoFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const folder = flags.output;
  await prepare(folder);
  const plan = join('.evicpress', 'plan.ndjson');
  const steps: Step[] = [
    {
      says: 'How fast is the memory here? (A GPU host has more tiers; the rest of the demo uses reference figures of one.)',
      words: [
        'profile',
        'tiers',
        '--tier',
        'dram=dram',
        '--seconds-per-tier',
        '1',
        '-o',
        'this-machine.json',
      ],
    },
    {
      says: `Where should every context of a real conversation log live, and in which form? (${CONFIG_NAME} says the rest.)`,
      words: ['plan', '--allow-model-mismatch'],
    },
    {
      says: 'What would that have been worth on the same log, beside rules that engines have today?',
      words: ['replay', '--allow-model-mismatch', '-o', join('.evicpress', 'replay.json')],
    },
    { says: 'Why is the busiest context where it is?', words: [] },
    {
      says: 'How much memory would be right?',
      words: ['size', '--allow-model-mismatch', '--vary', 'dram=5GB..320GB', '--points', '7'],
    },
    { says: 'The same for a meeting: one page with charts, every context explained.', words: ['report'] },
  ];
  const startedAt = performance.now();
  for (const [i, step] of steps.entries()) {
    const words =
      step.words.length > 0
        ? step.words
        : ['explain', await busiest(join(folder, plan)), '--allow-model-mismatch'];
    terminal.say(`\n${paint('strong', `${i + 1}. ${step.says}`)}`);
    terminal.say(`${paint('faint', '$')} ${paint('command', `evicpress ${words.join(' ')}`)}\n`);
    const code = await play(words, folder, flags);
    if (code === 130) throw errors.interrupted(`What was made so far is in ${folder}.`);
    if (code !== 0)
      throw new EvicpressError(
        `This step of the demo failed (see above); the others are not tried. Its files are in ${folder}.`,
      );
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const report = relative('.', join(folder, '.evicpress', 'report.html'));
  terminal.conclude(
    `That was the whole story, in ${seconds.toFixed(0)} s. Open ${report} in a browser; the files are in ${folder}.`,
  );
  terminal.next('evicpress init', 'the same for your machine and your log');
  terminal.result({ folder, report, seconds, steps: steps.length });
}

/** The folder with a configuration and the bundled log. @throws EvicpressError rather than overwrite one of the user's. */
async function prepare(folder: string): Promise<void> {
  const config = join(folder, CONFIG_NAME);
  if (existsSync(config) && !(await readFile(config, 'utf8')).startsWith(MARK))
    throw new EvicpressError(`${config} is not of a demo. Name another folder: evicpress demo -o DIR.`);
  const bundled = join(PROFILES_FOLDER, 'traces', 'mooncake-conversation-1500.jsonl.gz');
  try {
    await makeFolder(folder);
    await writeFile(config, CONFIG);
    await pipeline(createReadStream(bundled), createGunzip(), createWriteStream(join(folder, LOG)));
  } catch (error) {
    throw systemFault(error, folder);
  }
}

/** Runs this program once more, as a user would: colours, width and interruption are the terminal's. */
function play(words: readonly string[], folder: string, { json, quiet }: DemoFlags): Promise<number> {
  const shown = json === true || quiet === true ? 'ignore' : 'inherit';
  const child = spawn(process.execPath, [process.argv[1]!, ...words], {
    cwd: folder,
    stdio: ['ignore', shown, 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}

/** The context of the plan with the most accesses. */
async function busiest(path: string): Promise<string> {
  const { scanPlan } = await import('../formats/plan.js');
  let best = { context: '', accesses: -1 };
  await scanPlan(path, ({ context, accesses }) => {
    if (accesses > best.accesses) best = { context, accesses };
  });
  return best.context;
}

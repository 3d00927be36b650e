import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { execa } from 'execa';
import { errors } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { cacheFolder } from '../formats/cache-folder.js';
import { CONFIG_NAME, readConfig } from '../formats/config.js';
import { installedPython, installKvpress } from '../methods/python-environment.js';
import { paint } from '../report/colour.js';
import { openTerminal, type Terminal, type TerminalFlags } from '../report/terminal.js';
import { besideKinds } from '../tiers/index.js';

const DEFAULT_PYTHON = 'python3';

interface DoctorFlags extends TerminalFlags {
  readonly install?: string;
  readonly python?: string;
}

/** One thing that evicpress can use. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'missing' | 'broken';
  /** Its version or place, or what goes on without it. */
  readonly detail: string;
  /** What it would add and how to get it; only where it is not ok. */
  readonly remedy?: string;
}

/** Runs a program. @returns its first line; undefined where it is missing or fails. */
export type Ask = (program: string, ...args: string[]) => Promise<string | undefined>;

const ask: Ask = async (program, ...args) => {
  const { failed, stdout, stderr } = await execa(program, args, {
    reject: false,
    timeout: 30_000,
    stdin: 'ignore',
  });
  return failed ? undefined : (`${stdout}\n${stderr}`.trim().split('\n')[0] ?? '');
};

/** `evicpress doctor`: what is installed and usable, and what each missing piece would add. */
export default function doctor(command: Command): void {
  command
    .description('what is installed and usable, what each missing piece would add, how to get it')
    .option(
      '--install <what>',
      'kvpress: a Python environment for the kvpress runner, versions pinned (3 GB to download, 5.4 GB on disk)',
    )
    .option('--python <path>', `the interpreter it is made from, 3.10 or newer (default: ${DEFAULT_PYTHON})`)
    .addHelpText(
      'after',
      '\nExamples:\n  evicpress doctor\n  evicpress doctor --json\n  evicpress doctor --install kvpress',
    )
    .action(async (_, action: Command) => {
      const flags = action.optsWithGlobals<DoctorFlags>();
      const terminal = openTerminal(flags);
      if (flags.install !== undefined) {
        await install(flags.install, flags.python ?? DEFAULT_PYTHON, terminal);
        return;
      }
      const findings = await examine(ask);
      terminal.table(
        ['what', 'state', 'detail'],
        findings.map(({ what, state, detail }) => [
          what,
          paint(COLOURS[state], `${MARKS[state]} ${state}`),
          detail,
        ]),
      );
      const open = findings.filter((finding) => finding.remedy !== undefined);
      if (open.length > 0) {
        terminal.say('');
        terminal.table(
          ['missing', 'what it would add, and how to get it'],
          open.map(({ what, remedy }) => [what, remedy!]),
        );
      }
      terminal.say('\nNothing of this is needed to plan and replay with bundled profiles.');
      terminal.next(...nextStep());
      terminal.result({ findings });
    });
}

/** `evicpress doctor --install WHAT`. @throws EvicpressError for anything that cannot be installed. */
async function install(what: string, python: string, terminal: Terminal): Promise<void> {
  if (what !== 'kvpress') throw errors.unknownName('thing to install', what, ['kvpress']);
  const installed = await installKvpress(python, terminal.progress);
  terminal.finish();
  terminal.say(`The kvpress runner has its environment: ${installed}`);
  terminal.next('evicpress profile methods --runner kvpress --model FOLDER', 'it is used without --python');
  terminal.result({ installed: what, python: installed });
}

const MARKS = { ok: '✔', missing: '–', broken: '✖' } as const;
const COLOURS = { ok: 'good', missing: 'notice', broken: 'bad' } as const;

/** The stage that has not been done yet. */
function nextStep(): [command: string, why: string] {
  if (!existsSync(CONFIG_NAME)) return ['evicpress init', 'defaults for every command'];
  if (!existsSync(join(RESULTS_FOLDER, 'tiers.json')))
    return ['evicpress profile tiers', 'how fast memory and disks are here'];
  return ['evicpress plan --trace requests.jsonl', 'your own request log'];
}

/** Looks for everything evicpress can use; nothing here is needed by all commands. */
export async function examine(run: Ask): Promise<Finding[]> {
  const config = await readConfig('.');
  return Promise.all([
    { what: 'Node', state: 'ok', detail: process.version } as const,
    configuration(),
    results(),
    program(run, 'fio', ['--version'], 'a second opinion on every disk', 'apt install fio'),
    embeddedModels(),
    pythonWith(run, config.profile?.python ?? installedPython() ?? DEFAULT_PYTHON),
    gpus(run),
    engines(),
    program(run, 'lmcache', ['--help'], 'plans carried out by LMCache', 'pip install lmcache'),
    program(
      run,
      'nvbandwidth',
      ['--help'],
      'the speed of the link to a GPU',
      'build github.com/NVIDIA/nvbandwidth',
    ),
  ]);
}

function configuration(): Finding {
  return existsSync(CONFIG_NAME)
    ? { what: CONFIG_NAME, state: 'ok', detail: 'read and valid' }
    : {
        what: CONFIG_NAME,
        state: 'missing',
        detail: 'every command works from flags',
        remedy: 'defaults for every command: evicpress init',
      };
}

function results(): Finding {
  const files = existsSync(RESULTS_FOLDER)
    ? readdirSync(RESULTS_FOLDER).filter((name) => !name.startsWith('.'))
    : [];
  return files.includes('tiers.json')
    ? { what: 'profile of this machine', state: 'ok', detail: join(RESULTS_FOLDER, 'tiers.json') }
    : {
        what: 'profile of this machine',
        state: 'missing',
        detail: 'bundled machines can be named with --tiers',
        remedy: 'real bandwidths instead of reference figures: evicpress profile tiers',
      };
}

async function program(run: Ask, name: string, args: string[], adds: string, get: string): Promise<Finding> {
  const line = await run(name, ...args);
  return line === undefined
    ? { what: name, state: 'missing', detail: 'done without', remedy: `${adds}: ${get}` }
    : { what: name, state: 'ok', detail: line.slice(0, 60) };
}

function embeddedModels(): Finding {
  const folder = cacheFolder();
  const built = existsSync(folder) ? readdirSync(folder) : [];
  const ready = ['smollm2', 'minilm', 'onnxruntime'].every((name) =>
    built.some((entry) => entry.startsWith(name) && !entry.endsWith('.partial')),
  );
  return ready
    ? { what: 'embedded model', state: 'ok', detail: folder }
    : {
        what: 'embedded model',
        state: 'missing',
        detail: 'fetched when first used',
        remedy: 'profiling without GPU and Python; some 220 MB come with the first evicpress profile methods',
      };
}

async function pythonWith(run: Ask, python: string): Promise<Finding> {
  const version = await run(python, '--version');
  if (version === undefined) {
    return {
      what: 'Python',
      state: 'missing',
      detail: `${python} does not run`,
      remedy: 'the kvpress runner, for any Hugging Face model on a GPU: install Python 3.10 or newer',
    };
  }
  const kvpress = await run(
    python,
    '-c',
    'from importlib.metadata import version; print(version("kvpress"))',
  );
  return kvpress === undefined
    ? {
        what: 'kvpress',
        state: 'missing',
        detail: `${version}, without kvpress`,
        remedy: `the kvpress runner, for any Hugging Face model on a GPU: evicpress doctor --install kvpress`,
      }
    : { what: 'kvpress', state: 'ok', detail: `${kvpress} in ${version}` };
}

async function gpus(run: Ask): Promise<Finding> {
  const line = await run('nvidia-smi', '--query-gpu=name', '--format=csv,noheader');
  return line === undefined
    ? {
        what: 'GPU',
        state: 'missing',
        detail: 'nvidia-smi finds none',
        remedy:
          'nothing is lost on this machine; for plans of a GPU host name its profile: --tiers h100-host',
      }
    : { what: 'GPU', state: 'ok', detail: line };
}

async function engines(): Promise<Finding> {
  const [kind] = besideKinds.filter((one) => one.field === 'engines');
  const [found] = await kind!.detect('.');
  return found === undefined
    ? {
        what: 'engine',
        state: 'missing',
        detail: 'no server answers on this machine',
        remedy:
          'the true prefill speed: start the server, then evicpress profile tiers --tier e=engine:URL --model NAME',
      }
    : { what: 'engine', state: 'ok', detail: `${found.target.location} ${found.note}` };
}

import { existsSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { Command } from 'commander';
import { carriedOut } from '../engines/carried-out.js';
import { engineNamed, engines } from '../engines/index.js';
import { carriedOutText } from '../engines/words.js';
import { EvicpressError, printable } from '../errors.js';
import { bundledModels, loadModel, profilePath, RESULTS_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { writeWhole } from '../formats/files.js';
import type { Model } from '../formats/model.js';
import { readPlan } from '../formats/plan.js';
import { inputsOfPlan } from '../formats/plan-inputs.js';
import { readTiers, type Tier } from '../formats/tiers.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import { parseCount } from '../units.js';
import { PUBLISH_FOLDER } from '../workflows/generations.js';
import { IN_FORCE } from '../workflows/refresh/plan-store.js';
import { exportKeyed, type KeyedFlags } from './export-keyed.js';

interface ExportFlags extends TerminalFlags, KeyedFlags {
  readonly engine?: string;
  readonly tiers?: string;
  readonly model?: string;
  readonly ranks: string;
  readonly modelPath: string;
  readonly state: string;
}

/** `evicpress export`: an engine's files and command lines for this plan, and what it will not carry out. */
export default function exportPlan(command: Command): void {
  command
    .option('--engine <name>', engines.map((engine) => engine.name).join(', '))
    .option('--plan <plan>', 'the plan', join(RESULTS_FOLDER, 'plan.ndjson'))
    .option(
      '--tiers <file|name>',
      "tier profile: kinds, locations, reserved room (default: the plan's, else .evicpress/tiers.json)",
    )
    .option(
      '--model <name|file>',
      "the served model: to say what in utility is not carried out (default: the plan's)",
    )
    .option('--ranks <n>', 'tensor-parallel ranks of one engine', '1')
    .option('--model-path <name>', 'the model as the engine is to load it', 'MODEL')
    .option('--state <folder>', 'where plans are published', PUBLISH_FOLDER)
    .option('-o, --output <folder>', 'where the files go (default: .evicpress/export/ENGINE)')
    .option(
      '--keyed-ids <secret>',
      'instead: a copy of the plan, or of --trace, under ids only this secret can link; env:NAME or @FILE',
    )
    .option('--trace <log>', 'with --keyed-ids: the request log to copy')
    .addHelpText(
      'after',
      '\nExamples:\n  evicpress export --engine lmcache\n  evicpress export --engine sglang --plan plan.ndjson --ranks 4 -o deploy/',
    )
    .action(async (_, cmd: Command) => run(cmd.optsWithGlobals() as ExportFlags));
}

/** The bundled model of this name; undefined where it is none, as that of a file that has changed since. */
async function knownModel(name: string | undefined): Promise<Model | undefined> {
  const models = await bundledModels();
  return name !== undefined && models.some((model) => model.name === name.split('@')[0])
    ? loadModel(name)
    : undefined;
}

/** Where the plan in force is for what is started from the export's folder; an absolute path stays one. */
function planSeenFrom(folder: string, state: string): string {
  const path = join(state, IN_FORCE);
  return isAbsolute(path) ? path : relative(folder, path);
}

function measuredTiers(): string | undefined {
  const path = join(RESULTS_FOLDER, 'tiers.json');
  return existsSync(path) ? path : undefined;
}

async function run(flags: ExportFlags): Promise<void> {
  const terminal = openTerminal(flags);
  if (flags.keyedIds !== undefined) return exportKeyed({ ...flags, keyedIds: flags.keyedIds }, terminal);
  if (flags.output === '-')
    throw new EvicpressError('-o -: export writes several files. Name a folder for them, e.g. -o deploy.');
  if (flags.trace !== undefined)
    throw new EvicpressError(
      '--trace goes with --keyed-ids, which copies the log. An export is of a plan: leave --trace out.',
    );
  const config = await readConfig('.');
  const name = flags.engine ?? config.engine;
  if (name === undefined)
    throw new EvicpressError(
      `No engine given. Name it with --engine: ${engines.map((engine) => engine.name).join(', ')}.`,
    );
  const target = engineNamed(name);
  const plan = await readPlan(flags.plan);
  // What the plan was made from comes before what stands here now.
  const planned = await inputsOfPlan(plan.header);
  const tiersName = flags.tiers ?? planned.tiers ?? config.tiers ?? measuredTiers();
  const tiers: readonly Tier[] =
    tiersName === undefined ? [] : (await readTiers(profilePath('tiers', tiersName))).tiers;
  const modelName = flags.model ?? planned.model;
  const model =
    modelName === undefined
      ? await knownModel(plan.header.model ?? config.model)
      : await loadModel(modelName);
  const planModel = plan.header.model;
  if (flags.model !== undefined && planModel !== null && model !== undefined && model.name !== planModel)
    terminal.warn(
      `The plan is for model ${printable(planModel)}, --model names ${printable(model.name)}: make a plan for that model before an engine follows this one.`,
    );
  const folder = flags.output ?? join(RESULTS_FOLDER, 'export', target.name);
  const setting = {
    tiers,
    planPath: planSeenFrom(folder, flags.state),
    ranks: parseCount(flags.ranks, '--ranks'),
    modelPath: flags.modelPath,
    ...(model === undefined ? {} : { model }),
  };
  const files = target.files(plan, setting);
  const verdict = carriedOut(plan, target, tiers, model);
  const warnings = target.warnings?.(plan, setting) ?? [];
  const words = carriedOutText(verdict, target, warnings);
  files.push({ path: 'README.txt', text: `${words}\n` });
  for (const file of files) {
    const path = join(folder, file.path);
    await writeWhole(path, file.text);
    if (file.executable === true) await chmod(path, 0o755);
  }
  terminal.say(words);
  terminal.say(`\nWritten: ${files.map((file) => join(folder, file.path)).join(', ')}`);
  terminal.next('evicpress apply', 'put the plan in force, where the engine looks for it');
  terminal.result({
    ...verdict,
    checkedAgainst: target.checkedAgainst,
    notes: [...warnings, ...target.capabilities.notes],
    files: files.map((file) => join(folder, file.path)),
  });
}

import { join } from 'node:path';
import { errors, printable } from '../errors.js';
import { PROFILES_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { readContexts } from '../formats/contexts.js';
import { DEFAULT_METHODS, DEFAULT_RATIOS, listConfigurations } from '../methods/configurations.js';
import { embeddedCatalog } from '../methods/embedded/runner.js';
import type { KvpressSettings } from '../methods/kvpress-runner.js';
import { METRICS, type Metric } from '../methods/rows.js';
import type { LongContexts, ProfiledContext } from '../methods/runner.js';
import type { TerminalFlags } from '../report/terminal.js';
import { parseNumber, parseSeconds } from '../units.js';

/** The flags of `profile methods` as commander hands them over. */
export interface MethodsFlags extends TerminalFlags {
  readonly runner?: string;
  readonly model?: string;
  readonly python?: string;
  readonly dtype?: string;
  readonly device?: string;
  readonly contexts?: readonly string[];
  readonly methods?: string;
  readonly ratios?: string;
  readonly queries?: string;
  readonly maxContexts?: string;
  readonly answerTokens?: string;
  readonly metric?: string;
  readonly longContexts?: string;
  readonly budget?: string;
  readonly resume?: boolean;
  readonly output?: string;
}

const RUNNERS = ['embedded', 'kvpress'];
const DEFAULT_QUERIES = '5';
/** Short answers keep to the point; a long one of a small model wanders and adds noise, not information. */
const DEFAULT_ANSWER_TOKENS = '32';

const DEFAULT_PYTHON = 'python3';
const DEFAULT_DTYPE = 'bfloat16';
const DEFAULT_DEVICE = 'cpu';

/** The commander options of these flags. */
export const METHODS_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  [
    '--runner <name>',
    'embedded (default): a small model in this process; kvpress: any Hugging Face model in your Python',
  ],
  ['--model <path>', 'the Hugging Face model of the kvpress runner: a folder'],
  ['--python <path>', `the Python that has kvpress 0.5.5 (default: ${DEFAULT_PYTHON})`],
  ['--dtype <name>', `what the kvpress runner computes in (default: ${DEFAULT_DTYPE})`],
  ['--device <name>', `where the kvpress runner computes (default: ${DEFAULT_DEVICE})`],
  ['--contexts <file...>', 'contexts with text and queries (default: the bundled samples)'],
  ['--methods <list>', `methods, comma-separated (default: ${DEFAULT_METHODS.join(',')})`],
  ['--ratios <list>', `fractions to remove (default: ${DEFAULT_RATIOS.join(',')})`],
  ['--queries <n>', `queries per context, at most (default: ${DEFAULT_QUERIES})`],
  ['--max-contexts <n>', 'take only the first n contexts'],
  ['--answer-tokens <n>', `length of an answer, at most (default: ${DEFAULT_ANSWER_TOKENS})`],
  ['--metric <list>', `what quality means: ${METRICS.join(', ')} (default: ${METRICS[0]})`],
  ['--long-contexts <what>', "contexts longer than the model's window: cut (default) or refuse"],
  ['--budget <time>', 'measure only what is worth it, within this time, e.g. 10m'],
  ['--resume', 'go on where an earlier run stopped'],
  ['-o, --output <file>', 'where the profile goes (default: .evicpress/methods.ndjson)'],
];

/** What is to be measured, checked. */
export interface MethodsSettings {
  /** Set when the kvpress runner is to be used. */
  readonly kvpress?: Pick<KvpressSettings, 'python' | 'model' | 'dtype' | 'device'>;
  readonly contexts: readonly ProfiledContext[];
  readonly methods: readonly string[];
  readonly ratios: readonly number[];
  readonly metrics: readonly Metric[];
  readonly answerTokens: number;
  readonly longContexts: LongContexts;
  readonly budgetSeconds?: number;
}

/**
 * Reads flags, evicpress.yaml and contexts.
 * @throws EvicpressError on the first thing that is wrong, before anything is downloaded or loaded.
 */
export async function readSettings(flags: MethodsFlags): Promise<MethodsSettings> {
  const config = await readConfig('.');
  const runner = flags.runner ?? config.profile?.runner ?? 'embedded';
  if (runner !== 'embedded' && runner !== 'kvpress') throw errors.unknownName('runner', runner, RUNNERS);
  if (runner === 'kvpress' && flags.model === undefined) {
    throw errors.missingInput('model', 'The kvpress runner needs one: --model FOLDER, a Hugging Face model.');
  }
  const longContexts = flags.longContexts ?? 'cut';
  if (longContexts !== 'cut' && longContexts !== 'refuse') {
    throw errors.unknownName('value of --long-contexts', longContexts, ['cut', 'refuse']);
  }
  const metrics = splitList(flags.metric) ?? [METRICS[0]];
  for (const metric of metrics) {
    if (!METRICS.includes(metric as Metric)) throw errors.unknownName('metric', metric, METRICS);
  }
  const count = (text: string, flag: string) => Math.trunc(parseNumber(text, flag, { min: 1 }));
  const queries = count(flags.queries ?? config.profile?.queries ?? DEFAULT_QUERIES, '--queries');
  const files = flags.contexts ?? (config.contexts === undefined ? [] : [config.contexts]);
  const limit = flags.maxContexts === undefined ? undefined : count(flags.maxContexts, '--max-contexts');
  const methods = splitList(flags.methods) ?? config.profile?.methods ?? DEFAULT_METHODS;
  const ratios =
    (splitList(flags.ratios) ?? config.profile?.ratios)?.map((text) => parseNumber(text, '--ratios')) ??
    DEFAULT_RATIOS;
  if (runner === 'embedded') listConfigurations(embeddedCatalog, methods, ratios);
  return {
    ...(runner === 'kvpress'
      ? {
          kvpress: {
            model: flags.model!,
            python: flags.python ?? config.profile?.python ?? DEFAULT_PYTHON,
            dtype: flags.dtype ?? DEFAULT_DTYPE,
            device: flags.device ?? DEFAULT_DEVICE,
          },
        }
      : {}),
    contexts: await readProfiledContexts(files.length > 0 ? files : [SAMPLES], queries, limit),
    methods,
    ratios,
    metrics: metrics as Metric[],
    answerTokens: count(flags.answerTokens ?? DEFAULT_ANSWER_TOKENS, '--answer-tokens'),
    longContexts,
    ...(flags.budget === undefined ? {} : { budgetSeconds: parseSeconds(flags.budget) }),
  };
}

const SAMPLES = join(PROFILES_FOLDER, 'contexts', 'samples.ndjson');

/** The contexts of all files with their first queries. @throws EvicpressError for one without text or queries. */
async function readProfiledContexts(
  files: readonly string[],
  queries: number,
  limit: number | undefined,
): Promise<ProfiledContext[]> {
  const contexts: ProfiledContext[] = [];
  for (const file of files) {
    const { rows } = await readContexts(file, 'profiling');
    for (const row of rows) {
      const asked = (row.queries ?? []).filter((query) => query.trim() !== '').slice(0, queries);
      if (asked.length === 0) {
        throw errors.badFile(
          file,
          undefined,
          `context "${printable(row.context)}" has no queries. Give it some questions to be answered from its text.`,
        );
      }
      if (contexts.some((other) => other.context === row.context)) {
        throw errors.badFile(
          file,
          undefined,
          `context "${printable(row.context)}" was given before, in another file.`,
        );
      }
      contexts.push({
        context: row.context,
        ...(row.class === undefined ? {} : { class: row.class }),
        text: row.text!,
        queries: asked,
      });
    }
  }
  return contexts.slice(0, limit);
}

function splitList(text: string | undefined): string[] | undefined {
  return text
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

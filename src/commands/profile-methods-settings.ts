import { join } from 'node:path';
import { EvicpressError, errors, naming, printable } from '../errors.js';
import { loadModel, PROFILES_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { readContexts } from '../formats/contexts.js';
import { METRICS, type Metric } from '../formats/methods.js';
import { COUNTS, parseSeed, requireRunner } from '../formats/option-values.js';
import { DEFAULT_METHODS, DEFAULT_RATIOS, listConfigurations } from '../methods/configurations.js';
import { embeddedCatalog } from '../methods/embedded/runner.js';
import type { KvpressSettings } from '../methods/kvpress-runner.js';
import type { Candidate, OpenAiSettings } from '../methods/openai-runner.js';
import { installedPython } from '../methods/python-environment.js';
import { shuffleQueries } from '../methods/queries.js';
import { readQueryLog } from '../methods/query-log.js';
import type { LongContexts, ProfiledContext } from '../methods/runner.js';
import type { TerminalFlags } from '../report/terminal.js';
import { parseCount, parseNumber, parseSeconds } from '../units.js';
import { flagName } from './options.js';

/** The flags of `profile methods` as commander hands them over. */
export interface MethodsFlags extends TerminalFlags {
  readonly list?: boolean;
  readonly runner?: string;
  readonly model?: string;
  readonly python?: string;
  readonly dtype?: string;
  readonly device?: string;
  readonly ray?: string;
  readonly workers?: string;
  readonly url?: string;
  readonly against?: readonly string[];
  readonly servedModel?: string;
  readonly queryLog?: string;
  readonly heldOut?: string;
  readonly seed?: string;
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

const DEFAULT_QUERIES = '5';
/** Short answers keep to the point; a long one of a small model wanders and adds noise, not information. */
const DEFAULT_ANSWER_TOKENS = '32';

const DEFAULT_PYTHON = 'python3';
const DEFAULT_DEVICE = 'cpu';
/** Processors without instructions for bfloat16 take many times longer with it. */
const defaultDtype = (device: string) => (device === 'cpu' ? 'float32' : 'bfloat16');

/** The commander options of these flags. */
export const METHODS_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  [
    '--runner <name>',
    'embedded (default): a small model in this process; kvpress: any Hugging Face model in your Python; openai: running servers',
  ],
  [
    '--model <path>',
    'kvpress: the folder of a Hugging Face model; openai: the model, for its bytes per token',
  ],
  ['--python <path>', `the Python that has kvpress 0.5.5 (default: ${DEFAULT_PYTHON})`],
  ['--dtype <name>', 'what kvpress computes in (default: bfloat16; float32 on a cpu)'],
  ['--device <name>', `where the kvpress runner computes (default: ${DEFAULT_DEVICE})`],
  ['--ray <address>', 'kvpress on a Ray cluster, one worker per GPU or core: its address, or local'],
  ['--workers <n>', 'Ray workers, at most (default: as many as there is room for)'],
  ['--url <url>', 'openai: the server with the whole cache, whose answers are taken for right'],
  [
    '--against <method@ratio=url...>',
    'openai: a server with a setting of its own, e.g. fp8@0.5=http://host:8001',
  ],
  ['--served-model <name>', 'openai: the model as the servers name it (default: the first they list)'],
  ['--contexts <file...>', 'contexts with text and queries (default: the bundled samples)'],
  ['--methods <list>', `methods, comma-separated (default: ${DEFAULT_METHODS.join(',')})`],
  ['--ratios <list>', `fractions to remove (default: ${DEFAULT_RATIOS.join(',')})`],
  ['--queries <n>', `queries per context, at most (default: ${DEFAULT_QUERIES})`],
  ['--query-log <file>', 'queries for these contexts from a request log with text'],
  ['--held-out <n>', 'further queries per context to test the profile on, no part of it (default: 0)'],
  [
    '--seed <n>',
    'draws the order of the queries, and those the model writes (default: as they are given; 1)',
  ],
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
  readonly kvpress?: Omit<KvpressSettings, 'longContexts' | 'similarity'>;
  /** Set when running servers are to be asked. */
  readonly openai?: Omit<OpenAiSettings, 'longContexts' | 'similarity'>;
  /** Queries per context: those of the profile, and those held out after them. */
  readonly queries: number;
  readonly heldOut: number;
  readonly seed: number;
  /** Contexts may lack queries: the model writes them. */
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
  requireRunner(runner);
  const openai = runner === 'openai' ? await readServers(flags) : undefined;
  const kvpress = runner === 'kvpress' ? readKvpress(flags, config.profile?.python) : undefined;
  const longContexts = flags.longContexts ?? 'cut';
  if (longContexts !== 'cut' && longContexts !== 'refuse') {
    throw errors.unknownName('value of --long-contexts', longContexts, ['cut', 'refuse']);
  }
  const metrics = splitList(flags.metric, '--metric') ?? [METRICS[0]];
  for (const metric of metrics) {
    if (!METRICS.includes(metric as Metric)) throw errors.unknownName('metric', metric, METRICS);
  }
  const queries = parseCount(flags.queries ?? config.profile?.queries ?? DEFAULT_QUERIES, '--queries');
  const files = flags.contexts ?? (config.contexts === undefined ? [] : [config.contexts]);
  const limit = flags.maxContexts === undefined ? undefined : parseCount(flags.maxContexts, '--max-contexts');
  const heldOut = parseCount(flags.heldOut ?? '0', '--held-out', COUNTS.heldOut);
  const seed = flags.seed === undefined ? undefined : parseSeed(flags.seed, '--seed');
  const methods =
    splitList(flags.methods, '--methods') ??
    openai?.candidates.map((each) => each.method) ??
    config.profile?.methods ??
    DEFAULT_METHODS;
  const ratios =
    (splitList(flags.ratios, '--ratios') ?? config.profile?.ratios)?.map((text) =>
      parseNumber(text, '--ratios'),
    ) ?? DEFAULT_RATIOS;
  if (methods.every((method) => method === 'none'))
    throw new EvicpressError(
      '--methods: nothing to measure. The whole cache, none, is part of every plan anyway: name what is to be compared with it.',
    );
  if (runner === 'embedded') listConfigurations(embeddedCatalog, methods, ratios);
  const all = await readProfiledContexts(files.length > 0 ? files : [SAMPLES], limit);
  const logged = flags.queryLog === undefined ? all : await addLoggedQueries(all, flags.queryLog);
  const asked = seed === undefined ? logged : logged.map((context) => shuffleQueries(context, seed));
  return {
    ...(kvpress && { kvpress }),
    ...(openai && { openai }),
    queries,
    heldOut,
    seed: seed ?? 1,
    contexts: asked.map((context) => ({ ...context, queries: context.queries.slice(0, queries + heldOut) })),
    methods,
    ratios,
    metrics: metrics as Metric[],
    answerTokens: parseCount(flags.answerTokens ?? DEFAULT_ANSWER_TOKENS, '--answer-tokens'),
    longContexts,
    ...(flags.budget === undefined
      ? {}
      : { budgetSeconds: naming('--budget', () => parseSeconds(flags.budget!)) }),
  };
}

const SAMPLES = join(PROFILES_FOLDER, 'contexts', 'samples.ndjson');

/** The contexts of all files. @throws EvicpressError for one without text, or given twice. */
async function readProfiledContexts(
  files: readonly string[],
  limit: number | undefined,
): Promise<ProfiledContext[]> {
  const contexts: ProfiledContext[] = [];
  for (const file of files) {
    const { rows } = await readContexts(file, 'profiling');
    for (const { context, class: name, text, queries = [], answers } of rows) {
      if (text!.trim() === '') {
        throw errors.badFile(file, undefined, `context "${printable(context)}" has an empty text.`);
      }
      if (contexts.some((other) => other.context === context)) {
        throw errors.badFile(
          file,
          undefined,
          `context "${printable(context)}" was given before, in another file.`,
        );
      }
      const asked = queries.flatMap((query, i) => (query.trim() === '' ? [] : [i]));
      contexts.push({
        context,
        ...(name === undefined ? {} : { class: name }),
        text: text!,
        queries: asked.map((i) => queries[i]!),
        ...(answers === undefined ? {} : { answers: asked.map((i) => answers[i] ?? '') }),
      });
    }
  }
  return contexts.slice(0, limit);
}

/** Contexts that are asked something in the log get those queries; the others keep their own. */
async function addLoggedQueries(
  contexts: readonly ProfiledContext[],
  path: string,
): Promise<ProfiledContext[]> {
  const logged = await readQueryLog(path, new Map(contexts.map(({ context, text }) => [context, text])));
  if (logged.size === 0) {
    throw errors.badFile(path, undefined, 'no line asks anything about one of the contexts.');
  }
  return contexts.map(({ answers, ...context }) => {
    const queries = logged.get(context.context);
    return queries === undefined ? { ...context, ...(answers && { answers }) } : { ...context, queries };
  });
}

function readKvpress(
  flags: MethodsFlags,
  configured: string | undefined,
): MethodsSettings['kvpress'] & object {
  if (flags.model === undefined) {
    throw errors.missingInput('model', 'The kvpress runner needs one: --model FOLDER, a Hugging Face model.');
  }
  const device = flags.device ?? DEFAULT_DEVICE;
  return {
    model: flags.model,
    python: flags.python ?? configured ?? installedPython() ?? DEFAULT_PYTHON,
    dtype: flags.dtype ?? defaultDtype(device),
    device,
    ...(flags.ray === undefined ? {} : { ray: flags.ray }),
    ...(flags.workers === undefined ? {} : { workers: parseCount(flags.workers, '--workers') }),
  };
}

async function readServers(flags: MethodsFlags): Promise<MethodsSettings['openai'] & object> {
  if (flags.url === undefined) {
    throw errors.missingInput('server', 'The openai runner needs one: --url http://host:8000.');
  }
  if (flags.against === undefined) {
    throw errors.missingInput(
      'server to compare with',
      'Name its setting, what it removes and its address: --against fp8@0.5=http://host:8001.',
    );
  }
  if (flags.model === undefined) {
    throw errors.missingInput(
      'model',
      'Bytes are computed from it: --model NAME, see evicpress profile --list.',
    );
  }
  const { name, kvBytesPerToken, kvDtype } = await loadModel(flags.model);
  return {
    url: flags.url,
    candidates: flags.against.map(parseCandidate),
    model: name,
    kvBytesPerToken,
    kvDtype: kvDtype ?? 'bf16',
    ...(flags.servedModel === undefined ? {} : { servedModel: flags.servedModel }),
  };
}

/** `fp8@0.5=http://host:8001`. */
function parseCandidate(text: string): Candidate {
  const [, method, ratio, url] = text.match(/^([^@=]+)@([^=]+)=(https?:\/\/.+)$/) ?? [];
  if (method === undefined) {
    throw new EvicpressError(
      `--against: "${printable(text)}" is not METHOD@RATIO=URL. An fp8 cache stores half: fp8@0.5=http://host:8001.`,
    );
  }
  const compressionRatio = parseNumber(ratio!, '--against');
  if (!(compressionRatio >= 0 && compressionRatio < 1)) {
    throw new EvicpressError(
      `--against: ${compressionRatio} is not the fraction of bytes removed, 0 ≤ ratio < 1.`,
    );
  }
  return { method, compressionRatio, url: url! };
}

/** The distinct names of a list. @throws EvicpressError where it has none. */
function splitList(text: string | undefined, flag: string): string[] | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(',').map((part) => part.trim());
  const names = [...new Set(parts)].filter((part) => part !== '');
  if (names.length === 0)
    throw new EvicpressError(`${flag}: "${printable(text)}" names nothing. Give names between commas.`);
  return names;
}

/** The flags that only one runner understands. */
const RUNNER_FLAGS = {
  model: ['kvpress', 'openai'],
  python: ['kvpress'],
  dtype: ['kvpress'],
  device: ['kvpress'],
  ray: ['kvpress'],
  workers: ['kvpress'],
  url: ['openai'],
  against: ['openai'],
  servedModel: ['openai'],
} as const satisfies { readonly [flag in keyof MethodsFlags]?: readonly string[] };

/** What is said of flags that the runner in use passes over: another model than the one meant would be measured. */
export function unusedFlags(flags: MethodsFlags, { kvpress, openai }: MethodsSettings): string[] {
  const runner = kvpress !== undefined ? 'kvpress' : openai !== undefined ? 'openai' : 'embedded';
  return Object.entries(RUNNER_FLAGS).flatMap(([name, runners]) => {
    if (flags[name as keyof typeof RUNNER_FLAGS] === undefined || runners.some((each) => each === runner))
      return [];
    return [
      `${flagName(name)} is not used by the ${runner} runner; it goes with --runner ${runners.join(' or ')}.`,
    ];
  });
}

import { join } from 'node:path';
import type { Command } from 'commander';
import { EvicpressError } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { jsonText, writeWhole } from '../formats/files.js';
import type { PolicyResult, ReplayResult } from '../formats/replay.js';
import { formatHeader } from '../formats/schema.js';
import { fitCurves } from '../plan/curves.js';
import { ReplayBound } from '../replay/bound.js';
import { compressionOf } from '../replay/compression.js';
import { LogFacts } from '../replay/log-facts.js';
import { planFit } from '../replay/plan-fit.js';
import { replayPolicies } from '../replay/run-policies.js';
import { policyRun } from '../replay/runs.js';
import type { ReplaySetting } from '../replay/simulator.js';
import { replaySentence } from '../report/answer.js';
import { replayCharts } from '../report/replay-charts.js';
import { openTerminal, type Terminal } from '../report/terminal.js';
import { shellWord } from '../shell-word.js';
import { withArrivals } from '../traces/arrivals.js';
import { assignClasses } from '../traces/assign-classes.js';
import { type Keep, loadTrace } from '../traces/load.js';
import type { Trace } from '../traces/trace.js';
import { INPUT_OPTIONS, type Inputs } from './inputs.js';
import { collect } from './options.js';
import { curveCsv, curvePoints, judgeTtft, lruCurveOf } from './replay-extras.js';
import { logPaths, replayInputs } from './replay-inputs.js';
import { LIVE_OPTIONS, openLive, runLive } from './replay-live.js';
import { planMisfits, predictionSentence } from './replay-plan.js';
import {
  classesToDraw,
  DEFAULT_POLICIES,
  type ReplayFlags,
  type ReplaySettings,
  readReplaySettings,
} from './replay-settings.js';
import { printReplay } from './replay-table.js';

/** `evicpress replay [LOG...]`: compares policies on request logs. */
export default function replayCommand(command: Command): void {
  for (const [name, description] of [...INPUT_OPTIONS, ...LIVE_OPTIONS]) command.option(name, description);
  command
    .argument('[log...]', 'request logs, - for standard input; the bundled excerpt without any')
    .option(
      '--policies <list>',
      `policies, e.g. lru,lru+int4,belady (default: ${DEFAULT_POLICIES.join(',')})`,
    )
    .option('--plan <file>', 'the plan that policy evicpress follows')
    .option('--capacity <tier=size>', 'room in a tier: 80GB, 5484blocks, 0, unlimited; repeatable', collect)
    .option('--warm <fraction>', `share of the requests that only fill the caches (default: 0.5)`)
    .option(
      '--replan <interval>',
      'how often policies that plan do so anew: 50r (requests), or 300s of arrivals (default: 250r)',
    )
    .option('--load <factor>', 'arrivals this many times as fast as in the log', '1')
    .option('--arrivals <log>', 'the content of the log at the arrival times of this one')
    .option(
      '--assign-classes <seed>',
      'draw classes of the method profile for a log without any: experiments only',
    )
    .option('--engines <n>', 'prefill servers; without it no request waits for another')
    .option('--alpha <seconds>', 'seconds of TTFT one unit of quality is worth to policy evicpress')
    .option('--mean-quality <q>', 'mean quality over all requests that policy evicpress keeps')
    .option('--min-quality <q>', 'quality floor of policy evicpress')
    .option('--overlap', 'engines load one layer while they compute another')
    .option(
      '--ttft-target <time>',
      'find the load at which the TTFT breaks it: 2s (the mean), or p50=, p90=, p99=1.5s',
    )
    .option(
      '--fail-above <time>',
      'exit with 3 when the TTFT of policy evicpress, else of the quickest, is higher: 400ms (the mean), or p99=2s',
    )
    .option(
      '--lru-curve [file]',
      'what LRU serves at every capacity, in one pass; every step as CSV into the file',
    )
    .option('--chart', 'draw the distribution of the TTFT, and quality by TTFT where something is compressed')
    .option('--format <name>', 'format of the logs; recognised by content without it')
    .option('--block-tokens <n>', 'tokens of a block, where the log leaves it open')
    .option('--skip-bad', 'leave out lines that do not parse, and count them')
    .option(
      '-o, --output <file>',
      'where the result goes, - for standard output (default: .evicpress/replay.json)',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (logs: string[], _, action: Command) => run(logs, action.optsWithGlobals<ReplayFlags>()));
}

const EXAMPLES = `
Examples:
  evicpress replay
  evicpress replay requests.jsonl --tiers h100-host --model llama-3.1-8b --capacity dram=80GB
  evicpress replay requests.jsonl --policies lru,lru+int8,belady,evicpress --engines 8 --mean-quality 0.95`;

async function run(logs: readonly string[], flags: ReplayFlags): Promise<void> {
  const terminal = openTerminal(flags);
  const config = await readConfig('.');
  const { paths, bundled } = logPaths(logs, config);
  if (bundled) terminal.say('No log given: replaying the bundled excerpt of the Mooncake conversation log.');
  const live = await openLive(flags);
  const settings = await readReplaySettings(paths, flags, config);
  const results: ReplayResult[] = [];
  for (const path of paths) {
    let keep: Keep | undefined;
    const content = await loadTrace(path, {
      ...settings.loading,
      onProgress: terminal.progress,
      onParsed: (begin) => {
        keep = begin;
      },
    });
    try {
      const inputs = await replayInputs(flags, config, content.blockTokens);
      const trace = prepared(content, inputs, settings);
      for (const warning of trace.warnings) terminal.warn(`${path}: ${warning}`);
      for (const warning of inputs.warnings) terminal.warn(warning);
      if (live !== undefined) {
        const report = await runLive(path, trace, inputs, live, terminal);
        if (flags.output !== undefined) await writeWhole(flags.output, jsonText(report));
        terminal.result(report);
        return;
      }
      const result = await replayLog(path, trace, inputs, settings, flags.lruCurve, terminal, keep);
      if (flags.output !== '-') {
        printReplay(terminal, result, inputs);
        const prediction = predictionSentence(result);
        if (prediction !== undefined) terminal.say(`\n${prediction}`);
      }
      if (flags.chart === true) terminal.say(`\n${replayCharts(result.policies)}`);
      results.push(result);
    } finally {
      const warning = await (await keep?.())?.kept;
      if (warning !== undefined) terminal.warn(`${path}: ${warning}`);
    }
  }
  const [first] = results;
  const all = results.length === 1 ? first! : { ...first!, logs: results };
  const output = flags.output ?? join(RESULTS_FOLDER, 'replay.json');
  await writeWhole(output, jsonText(all));
  if (output !== '-') {
    for (const result of results) terminal.conclude(replaySentence(result));
    terminal.say(`Written to ${output}.`);
    const named = flags.output === undefined ? '' : ` --replay ${shellWord(output)}`;
    terminal.next(`evicpress report${named}`, 'charts, and every context explained');
  }
  terminal.result(all);
  if (flags.failAbove !== undefined) {
    for (const [i, result] of results.entries()) judgeTtft(flags.failAbove, paths[i]!, result);
  }
}

async function replayLog(
  path: string,
  trace: Trace,
  inputs: Inputs,
  settings: ReplaySettings,
  lruCurve: ReplayFlags['lruCurve'],
  terminal: Terminal,
  keep?: Keep,
): Promise<ReplayResult> {
  // 0.29 of 100 requests are 29, although the product of the two is a little less.
  const warm = Math.floor(settings.warmShare * trace.requests + 1e-9);
  const compression = compressionOf(
    trace,
    inputs.methods.rows.length === 0 ? undefined : fitCurves(inputs.methods.rows),
  );
  const setting: ReplaySetting = {
    ...settings.simulator,
    trace,
    facts: new LogFacts(trace),
    tiers: inputs.tiers,
    model: inputs.model,
    compression,
    warm,
  };
  const runs = settings.policies.map((name) => policyRun(name, trace, compression));
  const { plan } = setting;
  const fit = plan === undefined ? undefined : planFit(plan, setting);
  if (fit !== undefined)
    for (const misfit of planMisfits(fit, inputs, settings.policies)) terminal.warn(misfit);
  const [policies, { bound, prefixHitRate }] = await Promise.all([
    replayPolicies(setting, runs, terminal.progress),
    boundBeside(setting, keep),
  ]);
  terminal.progress({ stage: 'bound', done: runs.length, total: runs.length });
  const ttft = ttftBounds(bound, policies);
  const curve = lruCurve === undefined ? undefined : lruCurveOf(setting);
  if (curve !== undefined && typeof lruCurve === 'string') await writeWhole(lruCurve, curveCsv(curve));
  terminal.finish();
  return {
    ...formatHeader('replay'),
    log: path,
    requests: trace.requests,
    warm,
    reuse: trace.reuse,
    policies,
    ...(plan !== undefined &&
      fit !== undefined && {
        plan: {
          contexts: fit.contexts,
          contextsInLog: fit.contextsInLog,
          meanTtftSeconds: plan.header.summary.meanTtftSeconds,
          meanQuality: plan.header.summary.meanQuality,
        },
      }),
    bound: { prefixHitRate, ttft },
    ...(curve !== undefined && { lruCurve: curvePoints(curve) }),
  };
}

/** What of the bound can be found beside the threads that replay, where there are any, when others write the log. */
async function boundBeside(setting: ReplaySetting, keep?: Keep) {
  await keep?.();
  const bound = new ReplayBound(setting);
  // Where nothing is compressed, every policy has this mean quality; it is worked out once.
  if (setting.compression.levels.length === 1) bound.meanTtftSeconds(1);
  return { bound, prefixHitRate: bound.prefixHitRate() };
}

/** The least mean TTFT at the mean qualities that the policies reached. */
function ttftBounds(
  bound: ReplayBound,
  policies: readonly PolicyResult[],
): NonNullable<ReplayResult['bound']>['ttft'] {
  const qualities = [...new Set(policies.map((policy) => policy.meanQuality))].sort((a, b) => b - a);
  return qualities.map((meanQuality) => ({ meanQuality, meanSeconds: bound.meanTtftSeconds(meanQuality) }));
}

/** The log as it is to be replayed: at another log's arrival times, with classes drawn, where asked. */
function prepared(content: Trace, inputs: Inputs, { arrivals, classSeed }: ReplaySettings): Trace {
  const timed = arrivals === undefined ? content : withArrivals(content, arrivals);
  if (classSeed === undefined) return timed;
  if (content.classes.length > 0)
    throw new EvicpressError(
      '--assign-classes needs a log without classes. Leave it out: this one has some.',
    );
  return assignClasses(timed, classesToDraw(inputs), classSeed);
}

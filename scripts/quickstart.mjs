#!/usr/bin/env node
/**
 * `npm run quickstart`: the whole line on this machine, by the commands a user would type: measure the tiers,
 * measure what compression does to answers, plan, replay a real log, compare. `--full` measures all samples.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { build, install, ROOT } from './set-up.mjs';

const LOG = 'profiles/traces/mooncake-conversation-1500.jsonl.gz';
/** Its prefill is a reference figure; with a small cache per token, memory of an ordinary machine can serve it. */
const MODEL = 'deepseek-v3';
/** Room for some 300 and 1,400 blocks of the log, a third of what it would fill: memory is scarce. */
const CAPACITY = { dram: '10GB', disk: '50GB' };
/** Prefill servers: enough that none of the policies waits for them for ever (replay would say "saturated"). */
const ENGINES = '8';
const POLICIES = 'full-prefill,lru,lru+snapkv@0.5,lru+class-rule@0.9,belady,evicpress';
/** What joint planning may give up: the mean quality that it keeps over reused contexts. */
const MEAN_QUALITY = '0.9';
const REFERENCE_METHODS = 'smollm2-135m/samples';
const QUICK_PROFILE =
  '--methods keydiff,snapkv,int8,int4,fp8 --ratios 0.3,0.5,0.7 --max-contexts 4 --queries 3';
const PROFILE_LIMIT_MS = 200_000;
/** Qualities nearer than this count as the same: the replay's third decimal. */
const SAME_QUALITY = 0.005;

const full = process.argv.includes('--full');
process.chdir(ROOT);
process.on('SIGINT', () => undefined); // the command in the foreground answers it; its exit code ends us

if (!install() || !build()) {
  console.error('quickstart: the step above failed; nothing was measured. Put it right and run it again.');
  process.exit(1);
}
heading('1. What this machine can hold, and how fast');
await must('profile tiers --quick -o .evicpress/tiers.json');
heading('2. What compression does to answers');
const methods = await profileMethods();
const setting = [
  `--tiers .evicpress/tiers.json --methods ${methods.argument} --model ${MODEL} --allow-model-mismatch`,
  ...Object.entries(CAPACITY).map(([tier, size]) => `--capacity ${tier}=${size}`),
].join(' ');
heading('3. The best tier, method and ratio for every context of the log');
await must(`plan --trace ${LOG} ${setting} -o .evicpress/plan.ndjson`);
heading('4. Policies on the log: the first half is history, the second half is scored');
await must(
  `replay ${LOG} ${setting} --engines ${ENGINES} --mean-quality ${MEAN_QUALITY} --policies ${POLICIES} -o .evicpress/replay.json`,
);
heading('5. Result');
await conclude(methods);

/** Runs a command of evicpress and shows it as a user would type it. @returns its exit code. */
function evicpress(line, limitMs) {
  say(`$ evicpress ${line}`);
  const child = spawn(process.execPath, ['bin/evicpress.js', ...line.split(' ')], { stdio: 'inherit' });
  const timer = limitMs === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), limitMs);
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

async function must(line) {
  const code = await evicpress(line);
  if (code !== 0) process.exit(code);
}

/** Measures; where models cannot be had, or not in time, goes on with the bundled reference and says so. */
async function profileMethods() {
  const output = '.evicpress/methods.ndjson';
  const startedAt = performance.now();
  const code = await evicpress(
    `profile methods --resume ${full ? '' : `${QUICK_PROFILE} `}-o ${output}`,
    full ? undefined : PROFILE_LIMIT_MS,
  );
  if (code === 0) return { argument: output, source: 'measured here on SmolLM2-135M' };
  const late = performance.now() - startedAt >= PROFILE_LIMIT_MS && !full;
  if (code === 130 && !late) process.exit(130);
  say(
    `\nMethods could not be measured here${late ? ' in time' : ''} (see above): going on with the bundled reference profile ${REFERENCE_METHODS}.`,
  );
  return { argument: REFERENCE_METHODS, source: 'bundled reference, SmolLM2-135M' };
}

async function conclude({ source }) {
  const { tsImport } = await import('tsx/esm/api');
  const { tableText } = await tsImport('../src/report/table-text.ts', import.meta.url);
  const { formatSeconds, formatShare } = await tsImport('../src/units.ts', import.meta.url);
  const { policies, requests, warm } = JSON.parse(readFileSync('.evicpress/replay.json', 'utf8'));
  const rows = policies.map((p) => [
    p.saturated ? `${p.policy} (saturated)` : p.policy,
    formatSeconds(p.ttft.mean),
    formatSeconds(p.ttft.p99),
    formatShare(p.prefixHitRate),
    p.meanQuality.toFixed(3),
  ]);
  console.log(tableText(['policy', 'mean TTFT', 'p99 TTFT', 'hit rate', 'quality'], rows));
  say(`
${requests - warm} requests of a real conversation log. Tier speeds: measured here. Quality and sizes: ${source},
assumed to carry over to ${MODEL}. Prefill: reference. Capacities and prefill servers: assumed.
belady knows the future and compresses nothing; no policy has its knowledge.
`);
  say(gain(policies, { formatSeconds, formatShare }));
  say('\nNext: npx evicpress report, or your own log: npx evicpress replay requests.jsonl --model YOURS');
}

/** One sentence on what joint planning gained over the best rule of equal or better quality. */
function gain(policies, { formatSeconds, formatShare }) {
  const ours = policies.find((p) => p.policy === 'evicpress');
  if (ours.saturated) return 'Joint planning is not judged: the prefill servers are saturated.';
  const rivals = policies.filter(
    (p) =>
      !p.saturated &&
      !['evicpress', 'belady'].includes(p.policy) &&
      p.meanQuality >= ours.meanQuality - SAME_QUALITY,
  );
  if (rivals.length === 0)
    return `No other policy kept quality ${ours.meanQuality.toFixed(3)}, at a mean TTFT of ${formatSeconds(ours.ttft.mean)}.`;
  const best = rivals.reduce((a, b) => (b.ttft.mean < a.ttft.mean ? b : a));
  const share = 1 - ours.ttft.mean / best.ttft.mean;
  const facts = `mean TTFT ${formatSeconds(ours.ttft.mean)} against ${formatSeconds(best.ttft.mean)}, hit rate ${formatShare(ours.prefixHitRate)} against ${formatShare(best.prefixHitRate)}, quality ${ours.meanQuality.toFixed(3)} against ${best.meanQuality.toFixed(3)}`;
  if (share >= 0.001)
    return `Joint planning answered ${formatShare(share)} sooner than ${best.policy}, the best rule of no lower quality: ${facts}.`;
  if (share > -0.001) return `Joint planning gained nothing over ${best.policy} here: ${facts}.`;
  return `Joint planning lost ${formatShare(-share)} to ${best.policy} here: ${facts}.`;
}

function heading(text) {
  console.log(`\n${text}\n`);
}

function say(text) {
  console.log(text);
}

import type { Command } from 'commander';

/** A verb of the command line; its module is loaded only when it is called. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** What it is for in a user's day; the heading it stands under in `--help`. */
  readonly group: 'Start' | 'Measure' | 'Decide' | 'Act';
  /** The module's default export adds options and action to the command. */
  readonly load: () => Promise<{ default: (command: Command) => void }>;
}

/** Every verb, in the order `--help` shows them. */
export const verbs: readonly Verb[] = [
  {
    name: 'init',
    group: 'Start',
    summary: 'write a commented evicpress.yaml for this machine',
    load: () => import('./init.js'),
  },
  {
    name: 'doctor',
    group: 'Start',
    summary: 'what is installed and usable, and what each missing piece would add',
    load: () => import('./doctor.js'),
  },
  {
    name: 'demo',
    group: 'Start',
    summary: 'the whole story on bundled data: measure, plan, replay, explain, report',
    load: () => import('./demo.js'),
  },
  {
    name: 'completion',
    group: 'Start',
    summary: 'make the shell complete commands, flags and names: bash, zsh, fish',
    load: () => import('./completion.js'),
  },
  {
    name: 'profile',
    group: 'Measure',
    summary: 'measure the storage tiers and what compression does to answers',
    load: () => import('./profile.js'),
  },
  {
    name: 'check',
    group: 'Measure',
    summary: 'validate any file of ours and name every fault with its line',
    load: () => import('./check.js'),
  },
  {
    name: 'plan',
    group: 'Decide',
    summary: 'choose the best tier, method and ratio for every context, with a proof',
    load: () => import('./plan.js'),
  },
  {
    name: 'replay',
    group: 'Decide',
    summary: 'compare the plan with other policies on a request log',
    load: () => import('./replay.js'),
  },
  {
    name: 'report',
    group: 'Decide',
    summary: 'one page to open in a browser: the answer, charts, every context explained',
    load: () => import('./report.js'),
  },
  {
    name: 'size',
    group: 'Decide',
    summary: 'TTFT, quality, hit share and money against the capacity of one or two tiers',
    load: () => import('./size.js'),
  },
  {
    name: 'explain',
    group: 'Decide',
    summary: "why a context is where it is: its options' terms and prices, and what would flip the choice",
    load: () => import('./explain.js'),
  },
  {
    name: 'diff',
    group: 'Decide',
    summary: 'what a new plan adds, moves, recompresses and drops, in contexts and bytes',
    load: () => import('./diff.js'),
  },
  {
    name: 'export',
    group: 'Act',
    summary: 'configuration that carries the plan out: lmcache, vllm, sglang, dynamo, llamacpp',
    load: () => import('./export.js'),
  },
  {
    name: 'apply',
    group: 'Act',
    summary: 'publish a plan as the one in force, after showing what it changes',
    load: () => import('./apply.js'),
  },
  {
    name: 'rollback',
    group: 'Act',
    summary: 'go back to an earlier plan',
    load: () => import('./rollback.js'),
  },
  {
    name: 'refresh',
    group: 'Act',
    summary: 're-plan from what the log says since last time: one turn, for cron',
    load: () => import('./refresh.js'),
  },
  {
    name: 'drift',
    group: 'Act',
    summary: 'show what has changed since the plan in force was made, without acting',
    load: () => import('./drift.js'),
  },
  {
    name: 'history',
    group: 'Act',
    summary: 'published plans: why, what they promised and what came of it',
    load: () => import('./history.js'),
  },
];

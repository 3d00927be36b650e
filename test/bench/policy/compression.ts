import type { MethodRow } from '../../../src/formats/methods.js';
import type { PolicyResult, SeriesPoint } from '../../../src/formats/replay.js';
import { LogFacts } from '../../../src/replay/log-facts.js';
import { MEAN_TTFT, withinNoise } from '../../../src/replay/noise.js';
import type { Objective } from '../../../src/replay/policy.js';
import { assignClasses } from '../../../src/traces/assign-classes.js';
import { kept } from './kept.js';
import type { Case } from './logs.js';
import { THREE_CLASSES, TWO_CLASSES } from './profile.js';
import { replayed, tierOf } from './setting.js';
import { row } from './table.js';

const PROFILES: readonly (readonly [name: string, rows: readonly MethodRow[]])[] = [
  ['two', TWO_CLASSES],
  ['three', THREE_CLASSES],
];
/** The class rule is asked for these. */
const QUALITIES = (process.env.BENCH_QUALITIES ?? '0.95,0.97').split(',').map(Number);
const SEEDS = (process.env.BENCH_SEEDS ?? '1,2').split(',').map(Number);
const wanted = (process.env.BENCH_PROFILES ?? PROFILES.map(([name]) => name).join()).split(',');
/** Qualities this near to each other count as equal. */
const EQUAL = 0.0005;
/** How far a held quality may be from the one asked for. */
const HELD = 0.005;

/**
 * Two tiers, DRAM and SSD ten times that, and recompute: mean TTFT of evicpress over that of LRU with the class
 * rule at the mean quality that the class rule ended with, and over that of uncompressed Belady. A cell that is slower
 * is marked `(noise)` where windows of the log drawn anew could have it otherwise.
 */
export async function printCompression(chosen: readonly Case[]): Promise<void> {
  console.log(
    row([
      'log',
      'blocks',
      'profile',
      'seed',
      'rule',
      'rule ms',
      'rule q',
      'ms',
      'q',
      'equal at',
      'ratio',
      '/belady',
      'objective',
    ]),
  );
  const ratios: number[] = [];
  let slower = 0;
  let slowerBeyondNoise = 0;
  for (const { log, load, blocks } of chosen) {
    const content = await load();
    if (content.reuse === 'documents') continue;
    for (const [profile, rows] of PROFILES.filter(([name]) => wanted.includes(name))) {
      for (const seed of SEEDS) {
        const names = [...new Set(rows.map((r) => r.class!))].sort();
        const trace = assignClasses(content, names, seed);
        const facts = new LogFacts(trace);
        for (const capacity of blocks) {
          const tiers = [tierOf('dram', capacity), tierOf('ssd', 10 * capacity)];
          const run = (policy: string, objective?: Objective) =>
            replayed(policy, { trace, facts, tiers, rows, ...(objective && { objective }) });
          const known = (policy: string): Figures =>
            kept(
              `windows ${log} ${trace.requests} ${trace.blocks.length} ${capacity} ${profile} ${seed} ${policy}`,
              () => figuresOf(run(policy)),
            );
          const belady = known('belady');
          const at = (meanQuality: number) => figuresOf(run('evicpress', { alpha: 1, meanQuality }));
          for (const q of QUALITIES) {
            const rule = known(`lru+class-rule@${q}`);
            const first = at(rule.quality);
            let equal = first;
            let asked = rule.quality;
            let last = first;
            for (let i = 0; i < 4 && offBy(equal, rule) > EQUAL; i++) {
              asked = Math.min(1, asked + rule.quality - last.quality);
              last = at(asked);
              if (offBy(last, rule) < offBy(equal, rule)) equal = last;
            }
            const ratio = equal.seconds / rule.seconds;
            ratios.push(ratio);
            const isNoise = withinNoise(equal.series, rule.series, MEAN_TTFT) === true;
            if (ratio > 1) {
              slower++;
              if (!isNoise) slowerBeyondNoise++;
            }
            const slow = ratio > 1 ? ` SLOWER${isNoise ? ' (noise)' : ''}` : '';
            const flag = `${slow}${Math.abs(first.quality - rule.quality) > HELD ? ' QUALITY' : ''}${equal.seconds > belady.seconds ? ' BELADY' : ''}`;
            console.log(
              row([
                log,
                String(capacity),
                profile,
                String(seed),
                String(q),
                ms(rule),
                rule.quality.toFixed(4),
                ms(first),
                first.quality.toFixed(4),
                `${ms(equal)}@${equal.quality.toFixed(4)}`,
                ratio.toFixed(3),
                (equal.seconds / belady.seconds).toFixed(3),
              ]) + flag,
            );
          }
        }
      }
    }
  }
  console.log(
    `mean ratio to the class rule at equal quality: ${(ratios.reduce((a, b) => a + b, 0) / ratios.length).toFixed(4)} over ${ratios.length}, the worst ${Math.max(...ratios).toFixed(4)}; slower in ${slower}, beyond noise in ${slowerBeyondNoise}`,
  );
}

interface Figures {
  readonly seconds: number;
  readonly quality: number;
  readonly series: readonly SeriesPoint[];
}

function figuresOf(result: PolicyResult): Figures {
  return { seconds: result.ttft.mean, quality: result.meanQuality, series: result.series ?? [] };
}

function offBy(a: Figures, b: Figures): number {
  return Math.abs(a.quality - b.quality);
}

function ms({ seconds }: Figures): string {
  return (1000 * seconds).toFixed(1);
}

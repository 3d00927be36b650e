/**
 * What policy evicpress is worth, log by log.
 *
 *   npm run bench -- policy [rates|compression] [LOG…]
 *
 * `rates`: prefix hit rates without compression, beside LRU, decayed LFU tuned on the first half, and Belady; on the
 * development logs also what the expert that turns out best would have reached, which bounds any choice of one.
 * `compression`: mean TTFT beside LRU with the class rule, at equal mean quality. LOG is the beginning of a log's
 * name, `development` the logs that designs may be chosen on, `held-out` all others; none is all. Logs that do
 * not ship with the package are looked for in the folder that EVICPRESS_LOGS names.
 */
import { LogFacts } from '../../src/replay/log-facts.js';
import { bestExpertRate } from './policy/best-expert.js';
import { printCompression } from './policy/compression.js';
import { hitRate, knownHitRates } from './policy/hit-rates.js';
import { type Case, cases } from './policy/logs.js';
import { row } from './policy/table.js';

/** No log may come out further below the better of LRU and LFU. */
const GATE = 0.01;

async function main([what = 'rates', ...names]: readonly string[]): Promise<void> {
  const chosen = cases().filter((entry) => names.length === 0 || names.some((name) => matches(entry, name)));
  if (what === 'compression') await printCompression(chosen);
  else await printRates(chosen);
}

function matches({ log, development }: Case, name: string): boolean {
  if (name === 'development') return development;
  return name === 'held-out' ? !development : log.startsWith(name);
}

async function printRates(chosen: readonly Case[]): Promise<void> {
  console.log(
    row(['log', 'blocks', 'lru', 'lfu', 'evicpress', 'belady', 'closed', 'over best', 'M/s', 'gate']),
  );
  const closed: number[] = [];
  const closedAtBest: number[] = [];
  const margins: number[] = [];
  for (const { log, load, blocks, development } of chosen) {
    const trace = await load();
    const facts = new LogFacts(trace);
    for (const capacity of blocks) {
      const { lru, lfu, belady } = knownHitRates(log, trace, facts, capacity);
      const started = performance.now();
      const own = hitRate('evicpress', trace, facts, capacity);
      const seconds = (performance.now() - started) / 1000;
      const shareOf = (rate: number) => (belady - lru < 1e-6 ? 0 : (rate - lru) / (belady - lru));
      const share = shareOf(own);
      if (development) {
        closed.push(share);
        closedAtBest.push(shareOf(bestExpertRate(trace, facts, capacity)));
      }
      const margin = own - Math.max(lru, lfu);
      margins.push(margin);
      const rates = [lru, lfu, own, belady].map((rate) => rate.toFixed(4));
      const speed = (trace.blocks.length / seconds / 1e6).toFixed(2);
      const verdict = margin < -GATE ? 'BROKEN' : 'kept';
      console.log(
        row([log, String(capacity), ...rates, share.toFixed(3), margin.toFixed(4), speed, verdict]),
      );
    }
  }
  const broken = margins.filter((margin) => margin < -GATE).length;
  console.log(
    `gate broken in ${broken} of ${margins.length} cases, lowest margin ${Math.min(...margins).toFixed(4)}`,
  );
  if (closed.length > 0) {
    console.log(
      `mean share closed on the development logs: ${meanOf(closed)}; by the expert that is best in hindsight: ${meanOf(closedAtBest)}`,
    );
  }
}

function meanOf(shares: readonly number[]): string {
  return (shares.reduce((sum, share) => sum + share, 0) / shares.length).toFixed(3);
}

await main(process.argv.slice(2));

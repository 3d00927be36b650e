import { EvicpressError } from '../errors.js';
import { OWN_CONNECTION } from '../openai-client.js';

/** Chunks an engine has served so far, by tier and method. */
export type ServedChunks = ReadonlyMap<string, number>;

/** The name of a place as tables show it. */
export function placeName(tier: string, method: string): string {
  return method === 'none' ? tier : `${tier} ${method}`;
}

/**
 * Reads the counters of our LMCache adapter from a Prometheus endpoint.
 * @throws EvicpressError where it cannot be read.
 */
export async function readServedChunks(url: string): Promise<ServedChunks> {
  let text: string;
  try {
    const response = await fetch(url, { headers: OWN_CONNECTION, signal: AbortSignal.timeout(30_000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    text = await response.text();
  } catch (error) {
    throw new EvicpressError(
      `${url}: metrics cannot be read (${(error as Error).message}). Leave --live-metrics out to do without hits by tier.`,
    );
  }
  return parseServedChunks(text);
}

/** The counters in a Prometheus text. */
export function parseServedChunks(text: string): ServedChunks {
  const served = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^evicpress_hit_chunks_total\{([^}]*)\} (\S+)$/.exec(line);
    if (match === null) continue;
    const labels = new Map([...match[1]!.matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1]!, m[2]!]));
    served.set(placeName(labels.get('tier') ?? '', labels.get('method') ?? 'none'), Number(match[2]));
  }
  return served;
}

/** What was served between two readings; places without a hit are left out. */
export function servedBetween(before: ServedChunks, after: ServedChunks): Map<string, number> {
  const gained = new Map<string, number>();
  for (const [place, count] of after) {
    const more = count - (before.get(place) ?? 0);
    if (more > 0) gained.set(place, more);
  }
  return gained;
}

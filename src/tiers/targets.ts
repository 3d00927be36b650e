import { EvicpressError, printable } from '../errors.js';
import { pick } from '../registry.js';
import { besideKinds, tierKinds } from './index.js';
import type { TierTarget } from './kind.js';

/**
 * Reads `NAME=KIND[:LOCATION]` as often as given. A location that names its kind itself, such as
 * `redis://127.0.0.1:6379` or `s3://bucket/prefix`, is kept whole.
 * @throws EvicpressError on another form, an unknown kind or a name given twice.
 */
export function parseTargets(texts: readonly string[]): TierTarget[] {
  const targets = texts.map(parseTarget);
  const seen = new Set<string>();
  for (const { name } of targets) {
    if (seen.has(name)) {
      throw new EvicpressError(`--tier: tier "${name}" is named twice. Give each tier a name of its own.`);
    }
    seen.add(name);
  }
  return targets;
}

function parseTarget(text: string): TierTarget {
  const match = /^([^=]*)=([^:]*)(?::(.*))?$/s.exec(text);
  const [, name = '', kindText = '', location] = match ?? [];
  if (match === null || kindText === '') {
    throw new EvicpressError(
      `--tier: "${printable(text)}" is not NAME=KIND[:LOCATION]. Write it like dram=dram or ssd=file:/mnt/nvme.`,
    );
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || name === 'recompute') {
    throw new EvicpressError(
      `--tier: "${printable(name)}" cannot be the name of a tier. Use letters, digits, ".", "_" and "-"${name === 'recompute' ? '; "recompute" is the option to keep nothing' : ''}.`,
    );
  }
  const kind = pick(
    'tier kind',
    [...tierKinds, ...besideKinds],
    kindText.replace(/^(redis|s3)s$/, '$1'),
  ).name;
  if (location === undefined || location === '') return { name, kind };
  return { name, kind, location: location.startsWith('//') ? `${kindText}:${location}` : location };
}

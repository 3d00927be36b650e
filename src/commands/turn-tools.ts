import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { askServed } from '../engines/served.js';
import { EvicpressError, printable } from '../errors.js';
import { CONFIG_NAME, readConfig } from '../formats/config.js';
import type { Model } from '../formats/model.js';
import { pick } from '../registry.js';
import type { Terminal } from '../report/terminal.js';
import type { Level, TurnOptions, TurnTools } from '../workflows/refresh/options.js';
import { CONSTRAINED_TIERS } from './constraints.js';
import { inputPaths, loadInputs } from './inputs.js';
import { expectKnownTiers } from './known-tiers.js';
import type { TurnFlags } from './turn-options.js';

const PROBE_SIZES = [4_194_304, 16_777_216];

/** The world as a turn from the command line has it. */
export function turnTools(flags: TurnFlags, options: TurnOptions, tell: TurnTools['tell']): TurnTools {
  const { engineUrl } = options;
  return {
    now: () => new Date(),
    async loadInputs(blockTokens) {
      const blockBytes =
        blockTokens === 0 ? undefined : (model: Model) => blockTokens * model.kvBytesPerToken;
      const { config, tiers, model, methods, files, warnings } = await loadInputs(flags, blockBytes);
      await expectKnownTiers(
        CONSTRAINED_TIERS,
        flags,
        config,
        tiers.map((tier) => tier.name),
        'refresh',
      );
      return { tiers, model, methods: methods.rows, files, warnings };
    },
    async identity() {
      const config = await readConfig('.');
      const paths = [
        CONFIG_NAME,
        ...inputPaths(flags, config),
        ...(options.samples === undefined ? [] : [options.samples]),
      ];
      const entries = await Promise.all(paths.map(async (path) => [path, await fileIdentity(path)] as const));
      return {
        ...Object.fromEntries(entries),
        flags: hashOf({ ...options, resume: false, dryRun: false }, inputFlags(flags)),
      };
    },
    async measureTier(tier, seconds) {
      const { tierKinds } = await import('../tiers/index.js');
      const kind = pick('tier kind', tierKinds, tier.kind);
      const target = {
        name: tier.name,
        kind: tier.kind,
        ...(tier.location === undefined ? {} : { location: tier.location }),
      };
      return kind.measure(target, {
        seconds,
        sizes: PROBE_SIZES,
        streams: [1],
        capacityBytes: tier.capacityBytes,
        seed: 1,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
    },
    async profileMethods(points, contexts, profile, seconds) {
      const { profileAnew } = await import('./profile-anew.js');
      return profileAnew(points, contexts, profile, seconds, tell);
    },
    ...(engineUrl === undefined ? {} : { served: () => askServed(engineUrl) }),
    tell,
  };
}

/** Says what happens: sentences for people, or with `--log-format json` one object per line. @throws EvicpressError */
export function teller(form: string, terminal: Terminal): TurnTools['tell'] {
  if (form === 'json') {
    return (level: Level, message, fields = {}) => {
      process.stderr.write(
        `${JSON.stringify({ at: new Date().toISOString(), level, message, ...fields })}\n`,
      );
    };
  }
  if (form !== 'text')
    throw new EvicpressError(`--log-format: "${printable(form)}" is unknown. Pick one of: text, json.`);
  return (level, message) =>
    level === 'info' ? terminal.say(message) : terminal.warn(printable(message, 2000));
}

/** The flags that say what is planned with, and none that say how to print. */
function inputFlags(flags: TurnFlags) {
  const { tiers, methods, model, capacity, price, metric, allowModelMismatch } = flags;
  return { tiers, methods, model, capacity, price, metric, allowModelMismatch };
}

async function fileIdentity(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  return info === undefined ? 'none' : `${info.ino} ${info.size} ${info.mtimeMs}`;
}

function hashOf(...values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 16);
}

import { EvicpressError } from '../errors.js';
import { logCacheFolder } from '../formats/cache-folder.js';
import type { Config } from '../formats/config.js';
import { readContexts } from '../formats/contexts.js';
import type { Demand } from '../formats/demand.js';
import { inputPath } from '../formats/files.js';
import type { Model } from '../formats/model.js';
import { demandOfContexts } from '../plan/demand-of-contexts.js';
import { expectFormat, loadTrace } from '../traces/load.js';
import { segmentsOf } from '../traces/segments.js';
import type { Trace } from '../traces/trace.js';
import { parseCount } from '../units.js';

export interface DemandFlags {
  readonly trace?: string;
  readonly contexts?: string;
  readonly format?: string;
  readonly blockTokens?: string;
  readonly skipBad?: boolean;
}

/** The commander options that say what is to be placed. */
export const DEMAND_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--trace <log>', 'request log to plan for, - for standard input'],
  ['--contexts <file>', 'contexts to plan for, instead of a log; - for standard input'],
  ['--format <name>', 'format of the log, where it is not recognised'],
  ['--block-tokens <n>', 'tokens per block of the log, where it does not tell'],
  ['--skip-bad', 'leave out lines of the log that do not parse'],
];

/** Where the demand comes from: a log, loaded, or a contexts file. */
export type DemandSource =
  | { readonly kind: 'trace'; readonly path: string; readonly trace: Trace }
  | { readonly kind: 'contexts'; readonly path: string };

/**
 * Finds and opens what is to be placed.
 * @throws EvicpressError where neither or both are given.
 */
export async function openDemand(
  flags: DemandFlags,
  config: Pick<Config, 'trace' | 'contexts'>,
): Promise<DemandSource> {
  if (flags.trace !== undefined && flags.contexts !== undefined)
    throw new EvicpressError(
      'Both --trace and --contexts are given. A plan is for one of them: leave the other out.',
    );
  const contexts = flags.contexts ?? (flags.trace === undefined ? config.contexts : undefined);
  if (contexts !== undefined && flags.trace === undefined) {
    expectLogOptions(flags);
    return { kind: 'contexts', path: inputPath(contexts) };
  }
  const named = flags.trace ?? config.trace;
  if (named === undefined)
    throw new EvicpressError(
      'Nothing to plan for. Name a request log with --trace, or contexts with --contexts. Without either, `evicpress demo` plans for a bundled log.',
    );
  const path = inputPath(named);
  return { kind: 'trace', path, trace: await openTrace(path, flags) };
}

/** What is said of a log has to make sense where none is read too: a slip in it is as likely there. @throws EvicpressError */
function expectLogOptions({ format, blockTokens }: DemandFlags): void {
  if (format !== undefined) expectFormat(format);
  if (blockTokens !== undefined) parseCount(blockTokens, '--block-tokens');
}

/** Loads a log with the flags that say how. @throws EvicpressError */
export function openTrace(path: string, { format, blockTokens, skipBad }: DemandFlags): Promise<Trace> {
  return loadTrace(path, {
    ...(format === undefined ? {} : { format }),
    ...(blockTokens === undefined ? {} : { blockTokens: parseCount(blockTokens, '--block-tokens') }),
    ...(skipBad === undefined ? {} : { skipBad }),
    cacheFolder: logCacheFolder(),
  });
}

/** The demand itself, now that the model is known. @throws EvicpressError */
export async function readDemand(source: DemandSource, model: Model): Promise<Demand> {
  if (source.kind === 'trace') return segmentsOf(source.trace, { model });
  return demandOfContexts(await readContexts(source.path, 'planning'), model, source.path);
}

/** What one block of the log weighs; undefined without a log of blocks. */
export function blockBytesOf(source: DemandSource): ((model: Model) => number) | undefined {
  if (source.kind !== 'trace' || source.trace.blockTokens === 0) return undefined;
  const { blockTokens } = source.trace;
  return (model) => blockTokens * model.kvBytesPerToken;
}

import { EvicpressError } from '../../errors.js';

/**
 * The embedded model cannot be had on this machine (no pip, no npm, no network). A caller may go on with a
 * bundled reference profile instead.
 */
export class ModelsUnavailableError extends EvicpressError {
  constructor(what: string, why: string) {
    super(
      `${what} cannot be had: ${why} Profiling with the embedded runner needs it once, then it stays in the cache folder. A bundled reference profile works without: --methods smollm2-135m/samples.`,
    );
    this.name = 'ModelsUnavailableError';
  }
}

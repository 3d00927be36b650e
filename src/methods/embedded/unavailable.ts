import { EvicpressError } from '../../errors.js';
import { BUNDLED_METHODS } from '../../formats/bundled.js';

/**
 * The embedded model cannot be had on this machine (no pip, no npm, no network). A caller may go on with a
 * bundled reference profile instead.
 */
export class ModelsUnavailableError extends EvicpressError {
  constructor(what: string, why: string) {
    super(
      `${what} cannot be had: ${why} Profiling with the embedded runner needs it once, then it stays in the cache folder. A bundled reference profile works without: --methods ${BUNDLED_METHODS}.`,
    );
    this.name = 'ModelsUnavailableError';
  }
}

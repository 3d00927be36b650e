import { EvicpressError } from '../errors.js';

const IMPOSSIBLE = 'No plan keeps every limit: what must be kept does not fit.';
const NOT_FOUND = 'No plan was found that keeps every limit, though it is not proved that there is none.';
const REMEDY = 'Allow recompute, loosen pins or quality floors, or raise a capacity.';

/** No plan keeps every limit, or none was found. */
export class InfeasibleError extends EvicpressError {
  /** Whether it is certain that there is none. */
  readonly isProved: boolean;

  constructor({ isProved = true, message }: { isProved?: boolean; message?: string } = {}) {
    super(message ?? `${isProved ? IMPOSSIBLE : NOT_FOUND} ${REMEDY}`);
    this.name = 'InfeasibleError';
    this.isProved = isProved;
  }
}

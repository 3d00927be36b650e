import { EvicpressError } from '../errors.js';

/** No plan keeps every limit, or none was found. */
export class InfeasibleError extends EvicpressError {
  constructor(
    message = 'No plan keeps every limit: what must be kept does not fit. Allow recompute, loosen pins or quality floors, or raise a capacity.',
  ) {
    super(message);
    this.name = 'InfeasibleError';
  }
}

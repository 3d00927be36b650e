import { errors } from './errors.js';

/** Anything that is found by its name: a tier kind, a compression, a policy, a solver, an engine, a log format. */
export interface Named {
  readonly name: string;
}

/**
 * Finds an entry of a registry by name.
 * @throws EvicpressError naming the nearest entry and all of them.
 */
export function pick<T extends Named>(kind: string, list: readonly T[], name: string): T {
  const found = list.find((entry) => entry.name === name);
  if (found === undefined)
    throw errors.unknownName(
      kind,
      name,
      list.map((entry) => entry.name),
    );
  return found;
}

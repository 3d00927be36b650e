import { UNCOMPRESSED } from '../formats/names.js';
import type { Place } from './places.js';

/**
 * The method an engine may use for everything it caches: the one that every kept context of the plan has,
 * where the engine knows it. Where the plan mixes methods there is none: a setting for the whole instance would
 * compress contexts the plan keeps whole.
 */
export function instanceMethod(places: readonly Place[], known: readonly string[]): string | undefined {
  const methods = new Set(places.map((place) => place.method));
  const [only] = methods;
  return methods.size === 1 && only !== UNCOMPRESSED && known.includes(only!) ? only : undefined;
}

import { pick } from '../registry.js';
import { dynamo } from './dynamo.js';
import type { EngineCapabilities, EngineTarget } from './engine.js';
import { llamacpp } from './llamacpp.js';
import { lmcache } from './lmcache.js';
import { sglang } from './sglang.js';
import { vllm } from './vllm.js';

/** Every engine a plan can be handed to. */
export const engines: readonly EngineTarget[] = [lmcache, vllm, sglang, dynamo, llamacpp];

/** Finds an engine by name. @throws EvicpressError naming all of them. */
export function engineNamed(name: string): EngineTarget {
  return pick('engine', engines, name);
}

/** What an engine can carry out, for the planner. @throws EvicpressError on an unknown name. */
export function engineCapabilities(name: string): EngineCapabilities & { readonly name: string } {
  return { name, ...engineNamed(name).capabilities };
}

/** Whether an engine can apply this method context by context; the uncompressed cache always. */
export function canApply({ methods }: EngineCapabilities, method: string): boolean {
  return method === 'none' || methods === 'any' || methods.includes(method);
}

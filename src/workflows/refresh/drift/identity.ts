import type { ServedModel } from '../../../engines/served.js';
import type { Model } from '../../../formats/model.js';
import type { PlanHeader } from '../../../formats/plan.js';
import { formatBytes } from '../../../units.js';
import type { RefreshState } from '../state.js';
import type { DriftCheck, DriftFinding, DriftSetting } from './check.js';

/** What a plan is good for and nothing else, by facts; the plan's header carries them as `madeFor`. */
export type MadeFor = Readonly<Record<string, string | number>>;

/** Facts that we are told: by --model, --engine and the profiles. */
const TOLD: Readonly<Record<string, string>> = {
  model: 'the model',
  kvBytesPerToken: 'the KV bytes per token',
  kvFixedBytes: 'the fixed KV bytes',
  kvDtype: 'the type of the KV cache',
  engine: 'the engine',
};
/** Facts that the engine shows by itself: in its log, and when it is asked. */
const SHOWN: Readonly<Record<string, string>> = {
  blockTokens: 'the tokens per block of the log',
  logModel: 'the model of the log',
  logLayout: "the layout of the log's chunks",
  servedModel: 'the model that the engine serves',
  servedWeights: 'the weights that the engine serves',
  servedCacheDtype: "the type of the engine's cache",
};
const LOGGED_BYTES = 'loggedBytes';
/** Bytes per token by the log and by the model are the same when they differ by less. */
const SAME_BYTES = 0.01;

/** Another model or engine than the plan was made for: its bytes and options are of no use any more. */
export const identity: DriftCheck = {
  name: 'identity',
  async check(setting) {
    const now = madeFor(setting.model, setting.state, setting.engine, setting.served);
    const foreign = foreignLog(setting);
    const planned = setting.plan === undefined ? undefined : plannedFor(setting.plan.header);
    const findings =
      planned === undefined
        ? []
        : Object.entries({ ...TOLD, ...SHOWN }).flatMap(([fact, name]) =>
            planned[fact] === undefined || now[fact] === undefined
              ? []
              : [changed(fact, name, planned[fact], now[fact])],
          );
    return foreign === undefined ? findings : [...findings, foreign];
  },
};

/** What a plan of this turn is made for. */
export function madeFor(
  model: Model,
  { log }: RefreshState,
  engine: string | undefined,
  served: ServedModel | undefined,
): MadeFor {
  const facts = {
    model: model.name,
    kvBytesPerToken: model.kvBytesPerToken,
    kvFixedBytes: model.kvFixedBytes,
    kvDtype: model.kvDtype,
    engine,
    blockTokens: log.blockTokens > 0 ? log.blockTokens : undefined,
    logModel: log.engineKeys?.model,
    logLayout: log.engineKeys?.layout,
    ...served,
  };
  return Object.fromEntries(Object.entries(facts).filter((entry) => entry[1] !== undefined)) as MadeFor;
}

/**
 * Why nothing can be planned: the engine shows that it serves something else, and nobody has told us what. A plan
 * from profiles of what was served before would be a guess.
 * @returns the evidence, or undefined where a plan can be made.
 */
export function unexplained(findings: readonly DriftFinding[]): string | undefined {
  const foreign = findings.find(({ subject, drifted }) => drifted && subject === LOGGED_BYTES);
  if (foreign !== undefined) return foreign.evidence;
  const drifted = findings.filter(
    ({ check, drifted }) => drifted && (check === 'identity' || check === 'profiles'),
  );
  if (drifted.some(({ check, subject }) => check === 'profiles' || subject in TOLD)) return undefined;
  const shown = drifted.filter(({ subject }) => subject in SHOWN && subject !== 'blockTokens');
  return shown.length === 0 ? undefined : shown.map(({ evidence }) => evidence).join('; ');
}

/** Plans of other commands say less of what they are made for. */
function plannedFor(header: PlanHeader): MadeFor {
  const { madeFor: facts, engine, model } = header as PlanHeader & { madeFor?: MadeFor };
  const named = typeof facts === 'object' && facts !== null ? facts : {};
  return {
    ...(model === null ? {} : { model }),
    ...(typeof engine === 'string' ? { engine } : {}),
    ...named,
  };
}

function changed(fact: string, name: string, planned: string | number, now: string | number): DriftFinding {
  const drifted = planned !== now;
  return {
    check: 'identity',
    subject: fact,
    drifted,
    value: drifted ? 1 : 0,
    threshold: 1,
    evidence: drifted
      ? `${name} is ${now} now, the plan in force was made for ${planned}: it is invalid`
      : `${name} is ${planned}, as the plan in force was made for`,
  };
}

/** A log whose chunks have another size in bytes than the model's cache: one of the two is of something else. */
function foreignLog({ model, state }: DriftSetting): DriftFinding | undefined {
  const logged = state.log.engineKeys?.bytesPerToken;
  if (logged === undefined || (model.kvFixedBytes ?? 0) > 0) return undefined;
  const expected = [
    model.kvBytesPerToken,
    model.kvBytesPerTokenPerRank ?? model.kvBytesPerToken,
    model.kvBytesPerToken / (model.tensorParallel ?? 1),
  ];
  const drifted = expected.every((bytes) => Math.abs(logged / bytes - 1) > SAME_BYTES);
  return {
    check: 'identity',
    subject: LOGGED_BYTES,
    drifted,
    value: logged,
    threshold: model.kvBytesPerToken,
    evidence: `the log's chunks take ${formatBytes(logged)} a token, the cache of ${model.name} ${formatBytes(model.kvBytesPerToken)}`,
  };
}

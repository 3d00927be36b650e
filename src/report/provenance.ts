import { formatBytesPerSecond, formatCount, formatSeconds } from '../units.js';
import type { Evidence, EvidenceFile } from './evidence.js';
import { profileSource } from './figures/quality-curves.js';

/** Where one group of numbers comes from. */
export interface Provenance {
  readonly what: string;
  readonly figures: string;
  /** measured, reference, assumed, computed or simulated, with the tool. */
  readonly known: string;
  /** ISO date, or how it came along with the program. */
  readonly when: string;
  /** The command that makes it anew. */
  readonly command: string;
}

/** The provenance of every number on the page. */
export function provenanceOf(evidence: Evidence): Provenance[] {
  return [
    ...tierRows(evidence),
    ...modelRow(evidence),
    ...methodRow(evidence),
    ...planRow(evidence),
    ...replayRows(evidence),
    ...sizeRow(evidence),
  ];
}

function written(evidence: Evidence, kind: EvidenceFile['kind']): string {
  const file = evidence.files.find((entry) => entry.kind === kind);
  if (file === undefined) return '';
  return file.writtenAt === undefined ? 'ships with evicpress' : isoMinute(file.writtenAt);
}

/** A date to the minute, in UTC. */
export function isoMinute(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function tierRows(evidence: Evidence): Provenance[] {
  return (evidence.tiers?.tiers ?? []).map((tier) => {
    const cited = typeof tier.read.source === 'string' ? `: ${tier.read.source}` : '';
    const tool = tier.tool === undefined ? '' : ` with ${tier.tool}`;
    return {
      what: `tier ${tier.name}`,
      figures: `${formatSeconds(tier.read.latencySeconds)} latency, ${formatBytesPerSecond(tier.read.bytesPerSecond)} read`,
      known: `${tier.source ?? 'assumed'}${tool}${cited}`,
      when: tier.measuredAt ?? written(evidence, 'tiers'),
      command: 'evicpress profile tiers',
    };
  });
}

function modelRow({ model }: Evidence): Provenance[] {
  if (model === undefined) return [];
  const { prefill } = model;
  const cited = typeof prefill.source === 'string' ? `: ${prefill.source}` : '';
  return [
    {
      what: `model ${model.name}`,
      figures: `${formatCount(model.kvBytesPerToken)} KV bytes a token; prefill ${formatSeconds(prefill.secondsPerToken)} a token`,
      known: `${model.source ?? 'assumed'}${cited}`,
      when: 'as published',
      command: 'evicpress profile --list',
    },
  ];
}

function methodRow(evidence: Evidence): Provenance[] {
  const { methods } = evidence;
  if (methods === undefined) return [];
  const model = methods.header.model ?? methods.rows[0]?.model;
  const metrics = [
    ...new Set(methods.rows.map((row) => row.metric).filter((metric) => metric !== undefined)),
  ];
  return [
    {
      what: 'quality of compression',
      figures: `${formatCount(methods.rows.length)} rows${metrics.length === 0 ? '' : `, ${metrics.join(', ')}`}${model === undefined ? '' : `, model ${model}`}`,
      known: `${profileSource(methods)}${foreign(evidence, model) ? '; of another model: assumed here' : ''}`,
      when: written(evidence, 'methods'),
      command: 'evicpress profile methods',
    },
  ];
}

function foreign({ plan }: Evidence, model: string | undefined): boolean {
  const served = plan?.header.model?.split('@')[0];
  return model !== undefined && served !== undefined && model.split('@')[0] !== served;
}

function planRow(evidence: Evidence): Provenance[] {
  const { plan } = evidence;
  if (plan === undefined) return [];
  const { summary, generation, inputs } = plan.header;
  return [
    {
      what: 'plan, bound and prices',
      figures: `generation ${generation}, ${formatCount(summary.contexts)} contexts, from ${inputs.map((input) => input.path.split('/').at(-1)!).join(', ')}`,
      known: `computed by solver ${summary.solver}`,
      when: written(evidence, 'plan'),
      command: 'evicpress plan',
    },
  ];
}

function replayRows(evidence: Evidence): Provenance[] {
  return evidence.replays.map((replay, i) => ({
    what: `replay${evidence.replays.length > 1 ? ` ${i + 1}` : ''}`,
    figures: `${replay.policies.length} policies on ${formatCount(replay.requests - replay.warm)} of ${formatCount(replay.requests)} requests${typeof replay.log === 'string' ? ` of ${replay.log.split('/').at(-1)!}` : ''}`,
    known: 'simulated, from the tiers and methods it was given',
    when: written(evidence, 'replay'),
    command: 'evicpress replay',
  }));
}

function sizeRow(evidence: Evidence): Provenance[] {
  if (evidence.size === undefined) return [];
  return [
    {
      what: 'capacity curve',
      figures: `${evidence.size.points.length} plans`,
      known: 'computed by the solver',
      when: written(evidence, 'size'),
      command: 'evicpress size',
    },
  ];
}

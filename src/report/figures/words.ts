import type { MethodRow } from '../../formats/methods.js';
import { UNCOMPRESSED } from '../../formats/names.js';
import type { ReplayResult } from '../../formats/replay.js';
import { fileName } from '../answer.js';
import type { Spec } from '../figure.js';

/** Vega expression that shows seconds for people, as units.ts does. */
export function secondsLabel(value: string): string {
  return `(abs(${value}) < 1e-12 ? '0' : abs(${value}) < 0.0009999 ? format(${value} * 1e6, '.3~g') + ' µs' : abs(${value}) < 0.9999 ? format(${value} * 1e3, '.3~g') + ' ms' : abs(${value}) < 120 ? format(${value}, '.3~g') + ' s' : abs(${value}) < 7200 ? format(${value} / 60, '.3~g') + ' min' : format(${value} / 3600, '.3~g') + ' h')`;
}

/** Vega expression that shows bytes for people, decimal units. */
export function bytesLabel(value: string): string {
  return `(${value} < 1000 ? format(${value}, '.3~g') + ' B' : ${value} < 999500 ? format(${value} / 1e3, '.3~g') + ' KB' : ${value} < 999500000 ? format(${value} / 1e6, '.3~g') + ' MB' : ${value} < 999500000000 ? format(${value} / 1e9, '.3~g') + ' GB' : format(${value} / 1e12, '.3~g') + ' TB')`;
}

/** How a stored form is called: `whole`, `int4`, `keydiff@0.7`. */
export function formName(method: string, compressionRatio: number): string {
  return method === UNCOMPRESSED ? 'whole' : `${method}@${compressionRatio}`;
}

/** The same of a row of a method profile. */
export function formOf({ method, compressionRatio }: MethodRow): string {
  return formName(method, compressionRatio);
}

/** What the point of a quality curve says where it is pointed at. */
export const POINT_TOOLTIP = [
  { field: 'form', title: 'stored as' },
  { field: 'kept', title: 'bytes kept', format: '.1%' },
  { field: 'quality', title: 'quality', format: '.4f' },
  { field: 'low', title: 'less a standard error', format: '.4f' },
  { field: 'high', title: 'plus a standard error', format: '.4f' },
] as const;

/** The log of a replay in words, for headings where there are several. */
export function logName(replay: ReplayResult, i: number): string {
  return typeof replay.log === 'string' ? fileName(replay.log) : `log ${i + 1}`;
}

/** The role of a policy in a comparison; it decides colour and shape. */
export function roleOf(policy: string): 'evicpress' | 'bound' | 'other' {
  if (/^belady(\+|$)/.test(policy)) return 'bound';
  return /^evicpress/.test(policy) ? 'evicpress' : 'other';
}

/** The scales of the three roles. */
export const ROLE_COLOUR = {
  field: 'role',
  type: 'nominal',
  scale: { domain: ['evicpress', 'other', 'bound'], range: ['$accent', '$rival', '$bound'] },
  legend: null,
} as const;
export const ROLE_SHAPE = {
  field: 'role',
  type: 'nominal',
  scale: { domain: ['evicpress', 'other', 'bound'], range: ['circle', 'square', 'triangle-up'] },
  legend: null,
} as const;

/** Lines of policies are told apart by colour and dash; the legend shows both on a stroke. */
export function policyLines(policies: readonly string[]): Spec {
  const channel = {
    field: 'policy',
    type: 'nominal',
    scale: { domain: policies },
    title: 'policy',
    legend: { symbolType: 'stroke', symbolSize: 500, symbolStrokeWidth: 2 },
  };
  return { color: channel, strokeDash: channel };
}

/** A logarithmic axis of positive numbers. @param labelExpr a Vega expression for the marks on it. */
export function logAxis(labelExpr: string): Spec {
  return {
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: { labelExpr, tickCount: 6 },
  };
}

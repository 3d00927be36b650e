import type { Configuration } from '../runner.js';
import { condition, type Gaussian, type Reading } from './gaussian.js';

/** One measured configuration of one context. */
export interface Observation {
  /** The configuration's place in the list of all. */
  readonly cell: number;
  readonly quality: number;
  /** Standard error of the quality. */
  readonly error: number;
}

/** What is believed of every configuration of a context: means and standard deviations, in the list's order. */
export interface Belief {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/**
 * What is known of contexts in general. A context's qualities, one per configuration, are those of the mean context
 * plus its own deviation, both normal: a hierarchical model. It costs O(configurations²) per measurement, however
 * many contexts there are.
 */
export interface Population {
  /** Qualities of the mean context, and how far that mean may be off. */
  readonly centre: Gaussian;
  /** Covariances of the deviations of contexts, row by row. */
  readonly spread: Float64Array;
  /** How many contexts the spread rests on. */
  readonly contexts: number;
}

/** A standard error of nothing is not believed: one query can agree by chance. */
const LEAST_ERROR = 0.02;
/** How many contexts the spread expected at the start counts for. */
const EXPECTED_CONTEXTS = 8;

/**
 * The share of a deviation that all methods of a context have in common; the rest is common to the ratios of a
 * method, the more the nearer their stored shares (in logarithms: half as many bytes are as far anywhere).
 */
const COMMON = 0.3;
/** The same of the mean of a whole population: another model moves all methods up or down. */
const COMMON_OF_MEANS = 0.6;

/**
 * A population before anything is measured.
 * @param mean what qualities are expected.
 * @param doubt standard deviation of that expectation, one per configuration.
 */
export function expectPopulation(
  cells: readonly Configuration[],
  mean: Float64Array,
  doubt: readonly number[],
): Population {
  const deviation = Array.from(mean, spreadAround);
  return {
    centre: { mean, covariance: covarianceOf(cells, doubt, COMMON_OF_MEANS) },
    spread: covarianceOf(cells, deviation, COMMON),
    contexts: EXPECTED_CONTEXTS,
  };
}

/**
 * How far contexts lie apart around a mean quality: as if their log-odds had one deviation everywhere, .7, which
 * fits the bundled profile (similarity and agreement) and a larger one of kvpress within a third.
 */
function spreadAround(mean: number): number {
  return 0.7 * Math.max(0.06, mean * (1 - mean)) + 0.01;
}

/** The population after one more context: the mean and the spread, each as far as its measurements tell. */
export function learn(population: Population, own: readonly Observation[]): Population {
  const { centre, spread, contexts } = population;
  const size = centre.mean.length;
  // The mean context beside this one: what is measured of the one tells of the other.
  const both = {
    mean: Float64Array.from({ length: 2 * size }, (_, i) => centre.mean[i % size]!),
    covariance: new Float64Array(4 * size * size),
  };
  const at = (row: number, column: number) => row * 2 * size + column;
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const shared = centre.covariance[i * size + k]!;
      both.covariance[at(i, k)] = shared;
      both.covariance[at(i, size + k)] = shared;
      both.covariance[at(size + i, k)] = shared;
      both.covariance[at(size + i, size + k)] = shared + spread[i * size + k]!;
    }
  }
  const { mean, covariance } = condition(
    both,
    own.map((each) => reading(each, size)),
  );
  const learned = { mean: mean.slice(0, size), covariance: new Float64Array(size * size) };
  const wider = new Float64Array(size * size);
  const deviation = (i: number) => mean[size + i]! - mean[i]!;
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      learned.covariance[i * size + k] = covariance[at(i, k)]!;
      // The expected product of its deviations: one step of expectation maximisation per context.
      const product =
        deviation(i) * deviation(k) +
        covariance[at(i, k)]! +
        covariance[at(size + i, size + k)]! -
        covariance[at(i, size + k)]! -
        covariance[at(size + i, k)]!;
      wider[i * size + k] = (contexts * spread[i * size + k]! + product) / (contexts + 1);
    }
  }
  return { centre: learned, spread: wider, contexts: contexts + 1 };
}

/** The same population of another model: as much alike as models are, its spread worth fewer contexts. */
export function transfer(
  cells: readonly Configuration[],
  { centre, spread, contexts }: Population,
  doubt: readonly number[],
): Population {
  const further = covarianceOf(cells, doubt, COMMON_OF_MEANS);
  return {
    centre: { mean: centre.mean, covariance: centre.covariance.map((each, i) => each + further[i]!) },
    spread,
    contexts: Math.min(contexts, EXPECTED_CONTEXTS),
  };
}

/** The qualities of one context of a population, given what was measured of it. */
export function believe({ centre, spread }: Population, own: readonly Observation[]): Belief {
  const prior = { mean: centre.mean, covariance: centre.covariance.map((each, i) => each + spread[i]!) };
  const { mean, covariance } = condition(
    prior,
    own.map((each) => reading(each, 0)),
  );
  const size = mean.length;
  return {
    mean: mean.map((each) => Math.min(1, Math.max(0, each))),
    deviation: mean.map((_, i) => Math.sqrt(Math.max(0, covariance[i * size + i]!))),
  };
}

function reading({ cell, quality, error }: Observation, offset: number): Reading {
  return { place: offset + cell, value: quality, variance: Math.max(error, LEAST_ERROR) ** 2 };
}

function covarianceOf(
  cells: readonly Configuration[],
  deviation: readonly number[],
  common: number,
): Float64Array {
  const size = cells.length;
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      result[i * size + k] = deviation[i]! * deviation[k]! * alike(cells[i]!, cells[k]!, common);
    }
  }
  return result;
}

/** How much two configurations' deviations go together, 0 to 1. */
function alike(a: Configuration, b: Configuration, common: number): number {
  if (a.method !== b.method) return common;
  const distance = Math.abs(Math.log((1 - a.compressionRatio) / (1 - b.compressionRatio)));
  return common + (1 - common) * Math.exp(-distance);
}

import { mean, standardDeviation } from './statistics.js';

/** One context as its class is judged: its figures from the prefill and its quality by configuration. */
export interface ClassifiedContext {
  readonly context: string;
  readonly class?: string;
  readonly features: Readonly<Record<string, number>>;
  readonly quality: ReadonlyMap<string, number>;
}

/** How well a context's quality is known before it is profiled, and by what. All errors are root mean squares. */
export interface ClassReport {
  readonly contexts: number;
  readonly classes: readonly string[];
  /** Predicted by the mean of all other contexts. */
  readonly errorOfMean: number;
  /** By the mean of the others of the class it was declared to be of; undefined without two classes. */
  readonly errorOfDeclared?: number;
  /** By the mean of the others of the class whose figures are nearest to its own. */
  readonly errorOfFeatures?: number;
  /** How often the nearest class is the declared one. */
  readonly agreement?: number;
  /** The class a context's figures put it into; undefined where that predicts no better than the mean of all. */
  readonly assign?: (features: Readonly<Record<string, number>>) => string;
}

/**
 * Leaves every context out in turn and predicts its quality from the others.
 * @returns undefined for fewer than three contexts, where nothing can be told.
 */
export function reportClasses(contexts: readonly ClassifiedContext[]): ClassReport | undefined {
  if (contexts.length < 3) return undefined;
  const classes = [...new Set(contexts.flatMap((each) => each.class ?? []))].sort();
  const errorOf = (peersOf: (context: ClassifiedContext) => readonly ClassifiedContext[]) =>
    rootMeanSquare(contexts.flatMap((context) => errors(context, peersOf(context))));
  const othersOf = (context: ClassifiedContext) => contexts.filter((other) => other !== context);
  const inClass = (others: readonly ClassifiedContext[], name: string | undefined) => {
    const peers = others.filter((other) => other.class === name);
    return peers.length > 0 ? peers : others;
  };
  const report = { contexts: contexts.length, classes, errorOfMean: errorOf(othersOf) };
  if (classes.length < 2) return report;
  const nearest = (context: ClassifiedContext) => nearestClass(othersOf(context))(context.features);
  const declared = contexts.filter((each) => each.class !== undefined);
  const errorOfFeatures = errorOf((context) => inClass(othersOf(context), nearest(context)));
  return {
    ...report,
    errorOfDeclared: errorOf((context) => inClass(othersOf(context), context.class)),
    errorOfFeatures,
    agreement: mean(declared.map((context) => (nearest(context) === context.class ? 1 : 0))),
    ...(errorOfFeatures < report.errorOfMean ? { assign: nearestClass(contexts) } : {}),
  };
}

/** By how far the mean of its peers misses each configuration of a context. */
function errors(context: ClassifiedContext, peers: readonly ClassifiedContext[]): number[] {
  return [...context.quality].flatMap(([configuration, quality]) => {
    const known = peers.flatMap((peer) => peer.quality.get(configuration) ?? []);
    return known.length === 0 ? [] : [quality - mean(known)];
  });
}

/** Nearest centroid, each figure in units of its deviation over all contexts. */
function nearestClass(
  contexts: readonly ClassifiedContext[],
): (features: Readonly<Record<string, number>>) => string {
  const names = Object.keys(contexts[0]!.features);
  const value = (context: Pick<ClassifiedContext, 'features'>, name: string) => context.features[name] ?? 0;
  const scale = names.map((name) => standardDeviation(contexts.map((each) => value(each, name))) || 1);
  const classes = [...new Set(contexts.flatMap((each) => each.class ?? []))].sort();
  const centroids = classes.map((name) => {
    const members = contexts.filter((each) => each.class === name);
    return names.map((feature) => mean(members.map((each) => value(each, feature))));
  });
  return (features) => {
    const distances = centroids.map((centroid) =>
      names.reduce((sum, name, i) => sum + ((value({ features }, name) - centroid[i]!) / scale[i]!) ** 2, 0),
    );
    return classes[distances.indexOf(Math.min(...distances))]!;
  };
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(mean(values.map((value) => value * value)));
}

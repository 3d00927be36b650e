import type { Evidence } from './evidence.js';

/** A Vega-Lite specification; colours may be given as `$name` of the theme, outside `data`. */
export type Spec = Readonly<Record<string, unknown>>;

/** One chart with its words. A figure of several panels is a small multiple: one specification each. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** What the chart says, in a sentence or two computed from the data. */
  readonly reading: string;
  /** Where its numbers come from. */
  readonly source: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  /** Heading of the panel; also the name of its file when written as SVG. */
  readonly name: string;
  /** What a screen reader says in place of the picture. */
  readonly description: string;
  readonly spec: Spec;
}

/** A kind of figure: draws itself from what is there, or says that nothing is. */
export interface FigureKind {
  readonly name: string;
  readonly draw: (evidence: Evidence) => Figure | undefined;
}

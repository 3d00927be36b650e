// A module of its own, so that the parser is loaded where there is something to read.
import { type Document, LineCounter, parseDocument } from 'yaml';

/** A parsed text of YAML or JSON, and where in it a field stands. */
export interface LocatedDocument {
  readonly document: Document.Parsed;
  /** The line of a field, from 1; of the nearest field above it where it is missing. */
  lineOf(field: readonly PropertyKey[]): number | undefined;
}

/** Parses a text so that the lines of its fields can be told; faults of syntax are in the document. */
export function locatedDocument(text: string): LocatedDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  return {
    document,
    lineOf(field) {
      for (let depth = field.length; depth >= 0; depth--) {
        const node = document.getIn(field.slice(0, depth), true) as { range?: readonly number[] } | undefined;
        if (node?.range !== undefined && node.range !== null) return lines.linePos(node.range[0]!).line;
      }
      return undefined;
    },
  };
}

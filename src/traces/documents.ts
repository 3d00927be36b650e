import type { TraceFormat } from './format.js';
import {
  isObject,
  jsonLine,
  optionalText,
  parsedLine,
  positiveTokens,
  timestampFault,
  wholeNumber,
} from './json-line.js';

/**
 * Requests with the documents they retrieved: `documents: [{context, tokens}]` beside Mooncake's `timestamp`
 * (ms), `input_length`, `output_length`. Each document is reusable by itself, in any position.
 */
export const documents: TraceFormat = {
  name: 'documents',
  reuse: 'documents',
  sniff(firstLine) {
    const value = jsonLine(firstLine);
    return isObject(value) && Array.isArray(value.documents);
  },
  parse(builder) {
    return {
      line(bytes, start, end) {
        const value = parsedLine(bytes, start, end);
        if (typeof value === 'string') return value;
        const list = value.documents;
        if (!Array.isArray(list)) return 'documents: expected a list of {"context", "tokens"}.';
        const fault =
          timestampFault(value.timestamp) ??
          wholeNumber('input_length', value.input_length) ??
          (value.output_length === undefined
            ? undefined
            : wholeNumber('output_length', value.output_length)) ??
          optionalText('class', value.class) ??
          optionalText('session', value.session) ??
          optionalText('tenant', value.tenant);
        if (fault !== undefined) return fault;
        // All of them first: the length that a bad line gives a document must not stand.
        for (let i = 0; i < list.length; i++) {
          const wrong = documentFault(`documents[${i}]`, list[i]);
          if (wrong !== undefined) return wrong;
        }
        for (const { context, tokens } of list as { context: string; tokens: number }[])
          builder.pushDocument(builder.ids.ofText(context), tokens);
        builder.endRequest({
          timestampSeconds: (value.timestamp as number) / 1000,
          inputTokens: value.input_length as number,
          outputTokens: (value.output_length as number | undefined) ?? 0,
          class: value.class as string | undefined,
          session: value.session as string | undefined,
          tenant: value.tenant as string | undefined,
        });
        return undefined;
      },
      blockTokens: () => 0,
    };
  },
};

function documentFault(field: string, document: unknown): string | undefined {
  if (!isObject(document) || typeof document.context !== 'string' || document.context === '')
    return `${field}: expected {"context": "…", "tokens": n}.`;
  return positiveTokens(`${field}.tokens`, document.tokens);
}

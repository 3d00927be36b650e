import type { TraceFormat } from './format.js';
import {
  isObject,
  jsonLine,
  optionalText,
  parsedLine,
  positiveTokens,
  shown,
  timestampFault,
  wholeNumber,
} from './json-line.js';

/**
 * One reusable context per request: `{timestamp, context, inputTokens, outputTokens}`, `timestamp` in seconds;
 * `contextTokens` where the context is shorter than the input.
 */
export const contextRows: TraceFormat = {
  name: 'contexts',
  reuse: 'documents',
  sniff(firstLine) {
    const value = jsonLine(firstLine);
    return isObject(value) && 'context' in value && 'inputTokens' in value;
  },
  parse(builder) {
    return {
      line(bytes, start, end) {
        const value = parsedLine(bytes, start, end);
        if (typeof value === 'string') return value;
        const { context } = value;
        if (typeof context !== 'string' || context === '')
          return `context: expected text (got ${shown(context)}).`;
        const fault =
          timestampFault(value.timestamp) ??
          positiveTokens('inputTokens', value.inputTokens) ??
          (value.outputTokens === undefined ? undefined : wholeNumber('outputTokens', value.outputTokens)) ??
          (value.contextTokens === undefined
            ? undefined
            : positiveTokens('contextTokens', value.contextTokens)) ??
          optionalText('class', value.class) ??
          optionalText('session', value.session) ??
          optionalText('tenant', value.tenant);
        if (fault !== undefined) return fault;
        const tokens = (value.contextTokens ?? value.inputTokens) as number;
        builder.pushDocument(builder.ids.ofText(context), tokens);
        builder.endRequest({
          timestampSeconds: value.timestamp as number,
          inputTokens: value.inputTokens as number,
          outputTokens: (value.outputTokens as number | undefined) ?? 0,
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

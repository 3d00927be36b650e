import type { TraceFormat } from './format.js';

interface CsvLayout {
  readonly name: string;
  readonly time: string;
  readonly input: string;
  readonly output: string;
  readonly class?: string;
}

/**
 * A CSV log of arrivals and lengths without any content: nothing in it can be reused. It serves as the arrival
 * times of another log's content.
 */
function arrivalsCsv(layout: CsvLayout): TraceFormat {
  return {
    name: layout.name,
    reuse: 'prefix',
    sniff(firstLine) {
      const columns = cells(firstLine);
      return [layout.time, layout.input, layout.output].every((name) => columns.includes(name));
    },
    parse(builder) {
      let columns: string[] | undefined;
      builder.warnings.push(
        'This log has arrivals and lengths only: no request can reuse anything of another.',
      );
      return {
        line(bytes, start, end) {
          const row = cells(bytes.toString('utf8', start, end));
          if (columns === undefined) {
            columns = row;
            return undefined;
          }
          const cell = (name: string) => row[columns!.indexOf(name)] ?? '';
          const seconds = secondsOf(cell(layout.time));
          const input = Number(cell(layout.input));
          const output = Number(cell(layout.output));
          if (Number.isNaN(seconds)) return `${layout.time}: expected seconds or a date.`;
          if (!isCount(input) || cell(layout.input) === '')
            return `${layout.input}: expected a whole number of tokens.`;
          if (!isCount(output) || cell(layout.output) === '')
            return `${layout.output}: expected a whole number of tokens.`;
          builder.endRequest({
            timestampSeconds: seconds,
            inputTokens: input,
            outputTokens: output,
            class: layout.class === undefined ? undefined : cell(layout.class) || undefined,
          });
          return undefined;
        },
        blockTokens: () => 512,
      };
    },
  };
}

/** Azure's LLM inference traces. */
export const azure = arrivalsCsv({
  name: 'azure',
  time: 'TIMESTAMP',
  input: 'ContextTokens',
  output: 'GeneratedTokens',
});

/** BurstGPT. */
export const burstGpt = arrivalsCsv({
  name: 'burstgpt',
  time: 'Timestamp',
  input: 'Request tokens',
  output: 'Response tokens',
  class: 'Model',
});

function cells(line: string): string[] {
  return line
    .replace(/^\uFEFF/, '')
    .trim()
    .split(',')
    .map((cell) => cell.trim().replace(/^"|"$/g, ''));
}

/** Plain seconds, or a date as Azure writes it, `2023-11-16 18:15:46.6805900`, taken as UTC. */
function secondsOf(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const date = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?(?:Z|\+00:00)?$/.exec(text);
  if (date === null) return Number.NaN;
  return Date.parse(`${date[1]!}T${date[2]!}Z`) / 1000 + Number(date[3] ?? 0);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

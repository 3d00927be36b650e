import { stripVTControlCharacters } from 'node:util';

/** Lines of prose longer than this tire the eye, however wide the terminal is. */
const LONGEST = 110;

/** Columns of the terminal behind a stream; undefined where it is a pipe and nobody says. */
export function terminalWidth(
  stream: { readonly columns?: number } = process.stdout,
  env: Readonly<Record<string, string | undefined>> = process.env,
): number | undefined {
  if (stream.columns !== undefined && stream.columns > 0) return stream.columns;
  const columns = Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? columns : undefined;
}

/**
 * Prose with its long lines broken between words, continued under their own indentation. A line that holds a
 * command to copy (`Next: …`, or one that begins with `$`) is left whole. In a pipe nothing is broken.
 */
export function wrapped(text: string, width: number | undefined): string {
  if (width === undefined) return text;
  return text
    .split('\n')
    .map((line) => wrappedLine(line, Math.min(width, LONGEST)))
    .join('\n');
}

function wrappedLine(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  if (plain.length <= width || /^\s*(\$|Next:)/.test(plain)) return line;
  const indent = /^\s*/.exec(plain)![0];
  const lines: string[] = [];
  let current = '';
  for (const word of line.trimStart().split(' ')) {
    const longer = current === '' ? `${indent}${word}` : `${current} ${word}`;
    if (current !== '' && stripVTControlCharacters(longer).length > width) {
      lines.push(current);
      current = `${indent}${word}`;
    } else current = longer;
  }
  return [...lines, current].join('\n');
}

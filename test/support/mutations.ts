/** What mutations put in: structure out of place, numbers at their limits, names of the language, control characters. */
const TOKENS = [
  ...['{', '}', '[', ']', '"', ',', ':', '\n', '\r\n', '\u0000', '\u001b[2J', '\u2028', '\ufeff', '\\u0000'],
  ...['null', 'true', '-1', '1e999', '-0', '0.5', '9007199254740993', '""', '{}', '[]', 'NaN', '1e-320'],
  ...['"__proto__":{"a":1},', '"constructor":{},', '"toString":1,', '"version":2', '"version":"x"'],
  ...['__proto__', 'hasOwnProperty', 'constructor', '"then":1,', '"length":4294967295'],
  ...['&a', '*a', '!!js/function', '- ', ': ', '\t', '%', '../../etc/passwd', '\u202e', '\ud83d'],
  '['.repeat(3000),
  '{"a":'.repeat(3000),
  'x'.repeat(5000),
  '\n'.repeat(300),
].map((text) => Buffer.from(text));

/** Between one and four edits: a bit turned, a stretch cut, doubled or moved, a token put in, the end cut off. */
export function mutated(valid: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(valid);
  const upTo = (limit: number) => Math.floor(random() * limit);
  for (let edits = 1 + upTo(4); edits > 0; edits--) {
    const at = upTo(bytes.length + 1);
    const to = Math.min(bytes.length, at + upTo(40));
    switch (upTo(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << upTo(8));
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), TOKENS[upTo(TOKENS.length)]!, bytes.subarray(to)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), TOKENS[upTo(TOKENS.length)]!, bytes.subarray(at)]);
        break;
      case 5:
        bytes = otherNumber(bytes, at, TOKENS[upTo(TOKENS.length)]!);
        break;
      default:
        bytes = bytes.subarray(0, at);
    }
  }
  return bytes;
}

/** A whole number of the text replaced, which keeps the rest well-formed. */
function otherNumber(bytes: Buffer, at: number, token: Buffer): Buffer<ArrayBuffer> {
  const isDigit = (i: number) => i < bytes.length && bytes[i]! >= 48 && bytes[i]! <= 57;
  let from = at;
  while (from < bytes.length && !isDigit(from)) from++;
  let to = from;
  while (isDigit(to)) to++;
  return Buffer.concat([bytes.subarray(0, from), token, bytes.subarray(to)]);
}

import type { RequestFields } from './builder.js';

const NEWLINE = 10;
const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const ZERO = 48;
const NINE = 57;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
/** Up to this many digits a double holds every whole number. */
const EXACT_DIGITS = 15;
/** Up to this many 32 bits do. */
const SMALL_DIGITS = 9;
/** Numbers from so many digits on are compared four bytes at a time: all digits but the last are in two such groups. */
const WIDE_DIGITS = 5;

/** The fields of a line with what ends their names; each begins with another letter. */
const FIELDS = ['timestamp"', 'input_length"', 'output_length"', 'hash_ids"'].map((name) =>
  Buffer.from(name),
);
const FIELD_OF_LETTER = new Int8Array(256).fill(-1);
FIELDS.forEach((name, field) => {
  FIELD_OF_LETTER[name[0]!] = field;
});
const HASH_IDS = FIELDS.length - 1;

/** Where the ids of a request go, head first. */
export interface IdSink {
  /** The ids `ids[from .. to)`. */
  pushIds(ids: Int32Array, from: number, to: number): void;
  /** A whole number that may not fit 32 bits. */
  pushDigits(digits: string): void;
}

/**
 * Scans a line of the published Mooncake shape, four fields of plain whole numbers, without building any
 * object; its ids go straight to a sink. It refuses everything else, also what JSON would refuse.
 *
 * It reads far into the line before it knows where that ends, so a newline must stand behind the line: nothing of
 * the shape contains one, and whatever meets it stops there.
 */
export class MooncakeScanner {
  /** Timestamp, input length, output length of the line scanned last; −1 where it has not been seen. */
  private readonly values = new Float64Array(HASH_IDS);
  /** Ids of the line that are not in the sink yet. */
  private ids = new Int32Array(1 << 10);
  /** The number read last. */
  private value = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  /** The same bytes, to be read four at a time. */
  private view: DataView = new DataView(new ArrayBuffer(0));

  constructor(private readonly sink: IdSink) {}

  /** The fields of the line scanned last. */
  get fields(): RequestFields {
    return {
      timestampSeconds: this.values[0]! / 1000,
      inputTokens: this.values[1]!,
      outputTokens: this.values[2]!,
    };
  }

  /** Lines of these bytes come next. */
  begin(bytes: Uint8Array): void {
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Scans the line that begins at a place in the bytes, whose last one is a newline.
   * @returns where its newline stands, its ids then being in the sink; −1 where it is not of the plain shape, and
   *   some of its ids may be.
   */
  scan(start: number): number {
    const { bytes, values } = this;
    // So few are set sooner one by one than by `fill`.
    for (let field = 0; field < values.length; field++) values[field] = -1;
    let hasIds = false;
    let at = skipBlanks(bytes, start);
    if (bytes[at] !== OPEN_BRACE) return -1;
    do {
      at = skipBlanks(bytes, at + 1);
      if (bytes[at] !== QUOTE) return -1;
      const field = FIELD_OF_LETTER[bytes[at + 1]!]!;
      if (field < 0) return -1;
      at = skip(bytes, at + 1, FIELDS[field]!);
      if (at < 0) return -1;
      at = skipBlanks(bytes, at);
      if (bytes[at] !== COLON) return -1;
      at = skipBlanks(bytes, at + 1);
      if (field === HASH_IDS) {
        if (hasIds) return -1;
        hasIds = true;
        at = this.scanIds(bytes, at);
      } else {
        at = this.scanNumber(bytes, at);
        if (field > 0 && this.value >= 2 ** 31) return -1;
        values[field] = this.value;
      }
      if (at < 0) return -1;
      at = skipBlanks(bytes, at);
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE_BRACE) return -1;
    at = skipBlanks(bytes, at + 1);
    const whole = hasIds && values[0]! >= 0 && values[1]! >= 0 && values[2]! >= 0;
    return whole && bytes[at] === NEWLINE ? at : -1;
  }

  /** The list of ids: most of a log's bytes. @returns the place behind it, −1 where it is not plain. */
  private scanIds(bytes: Uint8Array, start: number): number {
    if (bytes[start] !== OPEN_BRACKET) return -1;
    const { sink, view } = this;
    let { ids } = this;
    let count = 0;
    let at = skipBlanks(bytes, start + 1);
    if (bytes[at] === CLOSE_BRACKET) return at + 1;
    for (;;) {
      const from = at;
      // In whole numbers of 32 bits; what is longer is read once more.
      let value = digitAt(bytes, at);
      if (value > 9) return -1;
      for (let digit = digitAt(bytes, ++at); digit <= 9; digit = digitAt(bytes, ++at))
        value = (Math.imul(value, 10) + digit) | 0;
      const digits = at - from;
      if (digits > 1 && bytes[from] === ZERO) return -1;
      if (digits <= SMALL_DIGITS) {
        if (count === ids.length) ids = this.largerIds();
        ids[count++] = value;
      } else {
        sink.pushIds(ids, 0, count);
        count = 0;
        sink.pushDigits(latin1(bytes, from, at));
      }
      let next = bytes[at]!;
      if (next !== COMMA) {
        at = skipBlanks(bytes, at);
        next = bytes[at]!;
      }
      if (next !== COMMA) break;
      at++;
      if (bytes[at]! <= 32) at = skipBlanks(bytes, at);
      if (digits < WIDE_DIGITS || digits > SMALL_DIGITS) continue;
      // Most ids are one more than the one before: the same digits, but for the last.
      const first = view.getInt32(from);
      const second = view.getInt32(from + digits - WIDE_DIGITS);
      const limit = bytes.length - digits;
      let last = bytes[from + digits - 1]!;
      while (
        last++ < NINE &&
        at < limit &&
        bytes[at + digits - 1] === last &&
        bytes[at + digits] === COMMA &&
        view.getInt32(at) === first &&
        view.getInt32(at + digits - WIDE_DIGITS) === second
      ) {
        if (count === ids.length) ids = this.largerIds();
        ids[count++] = ++value;
        at += digits + 1;
        if (bytes[at]! <= 32) at = skipBlanks(bytes, at);
      }
    }
    sink.pushIds(ids, 0, count);
    return bytes[at] === CLOSE_BRACKET ? at + 1 : -1;
  }

  private largerIds(): Int32Array<ArrayBuffer> {
    const larger = new Int32Array(2 * this.ids.length);
    larger.set(this.ids);
    this.ids = larger;
    return larger;
  }

  /** A whole number without sign, fraction, exponent or leading zero, into `value`. @returns as `scanIds`. */
  private scanNumber(bytes: Uint8Array, start: number): number {
    let at = start;
    let value = 0;
    for (let digit = digitAt(bytes, at); digit <= 9; digit = digitAt(bytes, ++at)) value = 10 * value + digit;
    this.value = value;
    const digits = at - start;
    if (digits === 0 || digits > EXACT_DIGITS || (digits > 1 && bytes[start] === ZERO)) return -1;
    return at;
  }
}

/** The digit at a place, above 9 where there is none. */
function digitAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! - ZERO) >>> 0;
}

/** The place behind a field's name; −1 where another word stands there. */
function skip(bytes: Uint8Array, start: number, name: Uint8Array): number {
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return -1;
  return start + name.length;
}

function skipBlanks(bytes: Uint8Array, start: number): number {
  let at = start;
  for (; ; at++) {
    const byte = bytes[at]!;
    if (byte !== 32 && byte !== 9 && byte !== 13) return at;
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

import type { RequestFields, TraceBuilder } from './builder.js';
import type { DenseIds } from './ids.js';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const ZERO = 48;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
/** Up to this many digits a double holds every whole number. */
const EXACT_DIGITS = 15;
/** Up to this many 32 bits do. */
const SMALL_DIGITS = 9;

const TIMESTAMP = Buffer.from('timestamp');
const INPUT = Buffer.from('input_length');
const OUTPUT = Buffer.from('output_length');
const HASH_IDS = Buffer.from('hash_ids');

/**
 * Scans a line of the published Mooncake shape, four fields of plain whole numbers, without building any
 * object; blocks go straight to the builder. It refuses everything else, also what JSON would refuse.
 */
export class MooncakeScanner {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  /** Digits of the number read last. */
  private digits = 0;
  private timestamp = -1;
  private input = -1;
  private output = -1;
  private hasIds = false;

  constructor(private readonly builder: TraceBuilder) {}

  /** The fields of the line scanned last. */
  get fields(): RequestFields {
    return {
      timestampSeconds: this.timestamp / 1000,
      inputTokens: this.input,
      outputTokens: this.output,
    };
  }

  /** Whether the line was of the plain shape; its blocks are then pending in the builder. */
  scan(bytes: Buffer, start: number, end: number): boolean {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.timestamp = -1;
    this.input = -1;
    this.output = -1;
    this.hasIds = false;
    if (!this.take(OPEN_BRACE)) return false;
    do {
      if (!this.field()) return false;
    } while (this.take(COMMA));
    if (!this.take(CLOSE_BRACE)) return false;
    this.blanks();
    return this.at === end && this.timestamp >= 0 && this.input >= 0 && this.output >= 0 && this.hasIds;
  }

  private field(): boolean {
    if (!this.take(QUOTE)) return false;
    const from = this.at;
    while (this.at < this.end && this.bytes[this.at] !== QUOTE) {
      if (this.bytes[this.at] === BACKSLASH) return false;
      this.at++;
    }
    const to = this.at;
    if (!this.take(QUOTE) || !this.take(COLON)) return false;
    if (this.same(from, to, HASH_IDS)) return !this.hasIds && this.ids();
    const value = this.number();
    if (value < 0 || this.digits > EXACT_DIGITS) return false;
    if (this.same(from, to, TIMESTAMP)) this.timestamp = value;
    else if (value >= 2 ** 31) return false;
    else if (this.same(from, to, INPUT)) this.input = value;
    else if (this.same(from, to, OUTPUT)) this.output = value;
    else return false;
    return true;
  }

  /** The list of ids: most of a log's bytes, so in local variables only. */
  private ids(): boolean {
    this.hasIds = true;
    if (!this.take(OPEN_BRACKET)) return false;
    if (this.take(CLOSE_BRACKET)) return true;
    const { builder, bytes, end } = this;
    const { ids } = builder;
    let at = this.at;
    for (;;) {
      while (at < end && isBlank(bytes[at]!)) at++;
      const from = at;
      // In whole numbers of 32 bits; what is longer is read once more.
      let value = 0;
      for (; at < end; at++) {
        const digit = bytes[at]! - ZERO;
        if (digit < 0 || digit > 9) break;
        value = (Math.imul(value, 10) + digit) | 0;
      }
      const digits = at - from;
      if (digits === 0 || (digits > 1 && bytes[from] === ZERO)) return false;
      if (digits <= SMALL_DIGITS) builder.push(ids.ofNumber(value));
      else builder.push(longId(ids, bytes.toString('latin1', from, at)));
      while (at < end && isBlank(bytes[at]!)) at++;
      if (at === end) return false;
      const next = bytes[at++];
      if (next === COMMA) continue;
      this.at = at;
      return next === CLOSE_BRACKET;
    }
  }

  /** A whole number without sign, fraction, exponent or leading zero; −1 where there is none. */
  private number(): number {
    this.blanks();
    const { bytes, end } = this;
    const from = this.at;
    let at = from;
    let value = 0;
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
    }
    this.at = at;
    this.digits = at - from;
    const next = at < end ? bytes[at]! : COMMA;
    if (at === from || (bytes[from] === ZERO && at - from > 1)) return -1;
    return next === 46 || next === 69 || next === 101 ? -1 : value;
  }

  private take(byte: number): boolean {
    this.blanks();
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  private blanks(): void {
    const { bytes, end } = this;
    while (this.at < end) {
      if (!isBlank(bytes[this.at]!)) return;
      this.at++;
    }
  }

  private same(from: number, to: number, name: Buffer): boolean {
    if (to - from !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.bytes[from + i] !== name[i]) return false;
    return true;
  }
}

function longId(ids: DenseIds, digits: string): number {
  return digits.length <= EXACT_DIGITS ? ids.ofNumber(Number(digits)) : ids.ofText(digits);
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13;
}

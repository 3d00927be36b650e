import { describe, expect, it } from 'vitest';
import { bytePairTokenizer } from '../../../src/methods/embedded/bpe.js';
import { evenPieces } from '../../../src/methods/embedded/decoder.js';
import { wordPieceTokenizer } from '../../../src/methods/embedded/wordpiece.js';

describe('byte-level byte pairs', () => {
  const merges = ['l o', 'lo w', 'Ġ low', 'e r', 'Ċ Ċ', 'Ã ¼'];
  const letters = [...'lower12ĠĊÃ¼.'];
  const tokens = ['<|end|>', ...new Set(letters), 'lo', 'low', 'Ġlow', 'er', 'ĊĊ', 'ü-as-Ã¼', 'Ã¼'];
  const { encode, decode } = bytePairTokenizer(tokens, merges, [0]);
  const spelled = (text: string) => encode(text).map((id) => tokens[id]);

  it('merges in the order of priority, keeps a leading space with its word', () => {
    expect(spelled('low lower')).toEqual(['low', 'Ġlow', 'er']);
  });

  it('takes every digit for itself and newlines before a digit together', () => {
    expect(spelled('12')).toEqual(['1', '2']);
    expect(spelled('low.\n\n1')).toEqual(['low', '.', 'ĊĊ', '1']);
  });

  it('reads special tokens in the text and leaves them out when decoding', () => {
    expect(spelled('low<|end|>low')).toEqual(['low', '<|end|>', 'low']);
    expect(decode(encode('low<|end|> low'))).toBe('low low');
  });

  it('works on bytes, so that letters outside ASCII survive', () => {
    expect(spelled('ü')).toEqual(['Ã¼']);
    expect(decode(encode('ü'))).toBe('ü');
  });
});

describe('word pieces', () => {
  const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'un', '##aff', '##able', ',', 'cafe', '漢', '字'];
  const tokenize = wordPieceTokenizer(vocabulary, 8);
  const spelled = (text: string) => tokenize(text).map((id) => vocabulary[id]);

  it('splits words into the longest known pieces, lower-cased and without accents', () => {
    expect(spelled('Unaffable, CAFÉ')).toEqual(['[CLS]', 'un', '##aff', '##able', ',', 'cafe', '[SEP]']);
  });

  it('sets Chinese characters apart and marks what it does not know', () => {
    expect(spelled('漢字 xyz')).toEqual(['[CLS]', '漢', '字', '[UNK]', '[SEP]']);
  });

  it('cuts to the length the encoder reads', () => {
    expect(spelled('un un un un un un un un un')).toHaveLength(8);
  });
});

it('prefill pieces are even, so that the last is never shorter than the query window', () => {
  for (let length = 1; length < 2000; length++) {
    const pieces = evenPieces(length, 256);
    expect(pieces[0]![0]).toBe(0);
    expect(pieces.at(-1)![1]).toBe(length);
    const last = pieces.at(-1)![1] - pieces.at(-1)![0];
    expect(last).toBeGreaterThanOrEqual(Math.min(64, length));
    expect(last).toBeLessThanOrEqual(256);
  }
});

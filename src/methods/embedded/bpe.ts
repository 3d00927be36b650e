/** What turns text into token ids and back. */
export interface Tokenizer {
  /** Token ids; special tokens written out in the text (`<|im_end|>`) become their ids. */
  encode(text: string): number[];
  /** Text without special tokens. */
  decode(ids: readonly number[]): string;
}

/** GPT-2's word pattern: contractions, words, numbers and signs each with at most one leading space, spaces. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * Byte-level byte-pair encoding as SmolLM2 uses it: every digit a word of its own, then GPT-2's word pattern.
 * @param tokens the vocabulary in the order of its ids, in GPT-2's printable byte alphabet.
 * @param merges pairs in the order of their priority, each written `left right`.
 * @param special the ids of control tokens.
 */
export function bytePairTokenizer(
  tokens: readonly string[],
  merges: readonly string[],
  special: readonly number[],
): Tokenizer {
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const rankOf = new Map(merges.map((pair, rank) => [pair, rank]));
  const specialIds = new Set(special);
  const specialPattern = new RegExp(`(${special.map((id) => escapeRegExp(tokens[id]!)).join('|')})`, 'u');
  const known = new Map<string, readonly number[]>();

  function wordIds(word: string): readonly number[] {
    const cached = known.get(word);
    if (cached !== undefined) return cached;
    const letters = Array.from(new TextEncoder().encode(word), (byte) => BYTE_TO_LETTER[byte]!);
    const ids = mergePairs(letters, rankOf).map((token) => idOf.get(token)!);
    known.set(word, ids);
    return ids;
  }

  return {
    encode(text) {
      const ids: number[] = [];
      text.split(specialPattern).forEach((part, index) => {
        if (index % 2 === 1) {
          ids.push(idOf.get(part)!);
          return;
        }
        for (const piece of part.split(/(\p{N})/u)) {
          for (const word of piece.match(WORDS) ?? []) ids.push(...wordIds(word));
        }
      });
      return ids;
    },
    decode(ids) {
      const bytes: number[] = [];
      for (const id of ids) {
        if (specialIds.has(id)) continue;
        for (const letter of tokens[id] ?? '') bytes.push(LETTER_TO_BYTE.get(letter)!);
      }
      return new TextDecoder().decode(new Uint8Array(bytes));
    },
  };
}

/** Joins the neighbouring pair of the lowest rank until no known pair is left. */
function mergePairs(letters: readonly string[], rankOf: ReadonlyMap<string, number>): string[] {
  const parts = [...letters];
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = rankOf.get(`${parts[i]} ${parts[i + 1]}`);
      if (rank !== undefined && rank < best) {
        best = rank;
        at = i;
      }
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
  }
}

/** GPT-2's alphabet: printable bytes stand for themselves, the others for letters from U+0100 on. */
const BYTE_TO_LETTER: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
})();
const LETTER_TO_BYTE = new Map(BYTE_TO_LETTER.map((letter, byte) => [letter, byte]));

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

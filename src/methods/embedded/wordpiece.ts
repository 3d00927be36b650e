/** A longer word becomes one unknown token, as in BERT. */
const MAX_WORD_CHARACTERS = 100;

/**
 * BERT's uncased tokenizer: lower case without accents, words and single punctuation marks, each split into the
 * longest pieces of the vocabulary.
 * @param vocabulary pieces in the order of their ids; continuations begin with `##`.
 * @returns a function from text to ids, `[CLS]` and `[SEP]` included, cut to `maxTokens`.
 */
export function wordPieceTokenizer(
  vocabulary: readonly string[],
  maxTokens: number,
): (text: string) => number[] {
  const idOf = new Map(vocabulary.map((piece, id) => [piece, id]));
  const unknown = idOf.get('[UNK]')!;

  function pieces(word: string): number[] {
    const letters = Array.from(word);
    if (letters.length > MAX_WORD_CHARACTERS) return [unknown];
    const ids: number[] = [];
    for (let start = 0; start < letters.length; ) {
      let end = letters.length;
      let id: number | undefined;
      while (end > start && id === undefined) {
        id = idOf.get((start === 0 ? '' : '##') + letters.slice(start, end).join(''));
        if (id === undefined) end--;
      }
      if (id === undefined) return [unknown];
      ids.push(id);
      start = end;
    }
    return ids;
  }

  return (text) => {
    const ids = basicWords(text)
      .flatMap(pieces)
      .slice(0, maxTokens - 2);
    return [idOf.get('[CLS]')!, ...ids, idOf.get('[SEP]')!];
  };
}

/** Control characters dropped, CJK characters and punctuation set apart, accents removed, lower case. */
function basicWords(text: string): string[] {
  return text
    .replace(/[\t\n\r]/g, ' ')
    .replace(/[\u0000\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, '')
    .replace(/\p{Script=Han}/gu, ' $& ')
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace(/[\p{P}$+<=>^`|~]/gu, ' $& ')
    .split(/\s+/u)
    .filter((word) => word !== '');
}

import type { EmbeddedModels } from './models.js';
import { integers, loadOnnxRuntime, openSession } from './onnxruntime.js';
import { wordPieceTokenizer } from './wordpiece.js';

/** The encoder reads this many tokens of a text (sentence-transformers' setting for this model). */
const MAX_TOKENS = 256;

/** Texts to unit vectors. */
export type SentenceEncoder = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** Opens all-MiniLM-L6-v2: mean pooling, then normalised, so that a dot product is a cosine. */
export async function openSentenceEncoder(models: EmbeddedModels): Promise<SentenceEncoder> {
  const runtime = loadOnnxRuntime(models.runtimeFolder);
  const session = await openSession(runtime, models.sentencePath);
  const tokenize = wordPieceTokenizer(models.sentenceVocabulary, MAX_TOKENS);
  return async (texts) => {
    const embeddings: Float32Array[] = [];
    for (const text of texts) {
      const ids = tokenize(text);
      const dims = [1, ids.length];
      const { embeddings: output } = await session.run({
        input_ids: integers(runtime, ids, dims),
        attention_mask: integers(
          runtime,
          ids.map(() => 1),
          dims,
        ),
      });
      embeddings.push(normalized(output!.data as Float32Array));
    }
    return embeddings;
  };
}

function normalized(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

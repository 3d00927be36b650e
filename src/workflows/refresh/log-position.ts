import { createHash } from 'node:crypto';
import * as z from 'zod';
import { count } from '../../formats/schema.js';

/** A stretch of bytes that must be found again where it was. */
const evidenceSchema = z.looseObject({ endBytes: count, bytes: count, sha256: z.string() });

/**
 * How far a log has been read, with the evidence by which the same content is known again after it was renamed,
 * compressed, copied away, cut short or overwritten. Offsets count decompressed bytes.
 */
export const logPositionSchema = z.looseObject({
  /** The file's identity when it was read last; equal in all three, it need not be opened. */
  inode: z.number(),
  sizeBytes: count,
  modifiedMs: z.number(),
  /** Everything before was read; a line ends here. */
  offsetBytes: count,
  lines: count,
  /** Hashes of the first 64, 256, 1024 and 4096 bytes, as far as they were read. */
  head: z.array(evidenceSchema),
  /** The ends of the last lines read, oldest first. */
  recentLines: z.array(evidenceSchema),
  /** This file was left for a new one, which has been said; no line of the new one was read yet. */
  left: z.boolean().optional(),
});
export type LogPosition = z.infer<typeof logPositionSchema>;
export type Evidence = z.infer<typeof evidenceSchema>;

const HEAD_LENGTHS = [64, 256, 1024, 4096] as const;
/** As many bytes of a log's beginning tell it from others. */
export const HEAD_BYTES = HEAD_LENGTHS[HEAD_LENGTHS.length - 1]!;
/** A log that lost up to this many lines at its end is taken up exactly where it breaks off. */
const RECENT_LINES = 256;
/** Bytes before the end of a line that are hashed: log lines differ in their time or ids. */
const LINE_EVIDENCE_BYTES = 256;
const NEWLINE = 10;

/** The beginning of a log as evidence. @param readBytes how much of it was read. */
export function headEvidence(beginning: Buffer, readBytes: number): Evidence[] {
  const known = Math.min(beginning.length, readBytes);
  const lengths = HEAD_LENGTHS.filter((length) => length <= known);
  if (lengths.length < HEAD_LENGTHS.length && known > (lengths.at(-1) ?? 0)) {
    return [...lengths, known].map((length) => evidenceOf(beginning.subarray(0, length), length));
  }
  return lengths.map((length) => evidenceOf(beginning.subarray(0, length), length));
}

/**
 * The line ends in a batch of whole lines, after those known before.
 * @param startBytes where in the log the batch begins.
 */
export function lineEvidence(before: readonly Evidence[], bytes: Buffer, startBytes: number): Evidence[] {
  const added: Evidence[] = [];
  for (let end = bytes.length; end > 0 && added.length < RECENT_LINES; ) {
    const newline = end >= 2 ? bytes.lastIndexOf(NEWLINE, end - 2) : -1;
    const from = Math.max(newline + 1, end - LINE_EVIDENCE_BYTES);
    added.push(evidenceOf(bytes.subarray(from, end), startBytes + end));
    end = newline + 1;
  }
  return [...before, ...added.reverse()].slice(-RECENT_LINES);
}

function evidenceOf(bytes: Buffer, endBytes: number): Evidence {
  return { endBytes, bytes: bytes.length, sha256: shortHash(bytes) };
}

/** Whether these are the bytes that evidence was taken of. */
export function isThere(evidence: Evidence, bytes: Buffer): boolean {
  return bytes.length === evidence.bytes && shortHash(bytes) === evidence.sha256;
}

/** 64 bits are plenty to tell lines apart, and keep the state small. */
function shortHash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

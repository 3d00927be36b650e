import { randomFillSync } from 'node:crypto';
import type { Wave } from './kind.js';
import { repeatWaves } from './waves.js';

/** Objects of one size are read in turn from about this much, so that a processor's cache cannot hold them. */
const ROTATION_BYTES = 128e6;

/** How a store of named objects moves one of them. */
export interface ObjectStore {
  put(key: string, body: Buffer, stream: number): Promise<void>;
  /** Reads an object to its end. @throws where it is not `bytes` long. */
  get(key: string, bytes: number, stream: number): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

/**
 * The test data of one run on a store: writing makes objects that reading then takes in turn; never more than the
 * scratch size at once.
 */
export class ScratchObjects {
  /** Bytes of each object by its key. */
  private readonly written = new Map<string, number>();
  private body: Buffer = Buffer.alloc(0);
  private next = 0;

  /** @param name begins every key. @param mark stands between name and object in a key. */
  constructor(
    private readonly store: ObjectStore,
    private readonly name: string,
    private readonly mark: string,
    private readonly scratchBytes: number,
    private readonly signal: AbortSignal,
  ) {}

  async run(wave: Wave): Promise<number[]> {
    const { direction, bytes, streams } = wave;
    const most = Math.max(streams, Math.floor(Math.min(ROTATION_BYTES, this.scratchBytes) / bytes));
    const all = Array.from({ length: most }, (_, i) => `${this.name}${this.mark}${bytes}-${i}`);
    if (this.body.length < bytes) this.body = randomFillSync(Buffer.allocUnsafe(bytes));
    const body = this.body.subarray(0, bytes);
    await this.makeRoom(all, bytes);
    if (direction === 'read') {
      for (const key of all.slice(0, streams)) if (!this.written.has(key)) await this.put(key, body, 0);
    }
    const keys = direction === 'write' ? all : all.filter((key) => this.written.has(key));
    return repeatWaves(wave, this.signal, () => {
      const turn = Array.from({ length: streams }, (_, i) => keys[(this.next + i) % keys.length]!);
      this.next = (this.next + streams) % keys.length;
      return Promise.all(
        turn.map((key, stream) =>
          direction === 'read' ? this.store.get(key, bytes, stream) : this.put(key, body, stream),
        ),
      );
    });
  }

  async removeAll(): Promise<void> {
    await this.remove([...this.written.keys()]);
  }

  /** Removes objects of other sizes, the largest first, until those asked for fit beside what is left. */
  private async makeRoom(keys: readonly string[], bytes: number): Promise<void> {
    const others = [...this.written].filter(([key]) => !keys.includes(key)).sort(([, a], [, b]) => b - a);
    let used = keys.length * bytes + others.reduce((sum, [, size]) => sum + size, 0);
    const victims: string[] = [];
    for (const [key, size] of others) {
      if (used <= this.scratchBytes) break;
      victims.push(key);
      used -= size;
    }
    await this.remove(victims);
  }

  private async remove(keys: readonly string[]): Promise<void> {
    await this.store.remove(keys);
    for (const key of keys) this.written.delete(key);
  }

  private async put(key: string, body: Buffer, stream: number): Promise<void> {
    // Entered first: an object that was half put is removed all the same.
    this.written.set(key, body.length);
    await this.store.put(key, body, stream);
  }
}

/** What the parent asks of the process that moves the bytes of a file tier. */
export type DirectRequest =
  | {
      readonly kind: 'fill';
      readonly bytes: number;
      /** When this long is over, `least` bytes will do. */
      readonly seconds: number;
      readonly least: number;
    }
  | {
      readonly kind: 'run';
      readonly direction: 'read' | 'write';
      readonly bytes: number;
      readonly streams: number;
      readonly seconds: number;
      /** Uncounted time before the first wave. */
      readonly rampSeconds: number;
      readonly chunkBytes: number;
      readonly depth: number;
    };

/** Bytes filled so far, bytes filled in all, the seconds of each wave, or the code of what went wrong. */
export type DirectReply =
  | { readonly filling: number }
  | { readonly filled: number }
  | { readonly waves: number[] }
  | { readonly code: string; readonly message: string };

/** The descriptor under which the child finds the scratch file. */
export const SCRATCH_FD = 4;

/**
 * The body of the child process: reads and writes the scratch file in chunks, several under way per stream. It
 * is started from its own text, so it must not use anything outside itself.
 */
export function moveInChild(fs: typeof import('node:fs'), fd: number): void {
  const alignment = 4096;
  let scratchBytes = 0;
  let cursor = 0;
  let free: Buffer[] = [];

  /** Direct I/O wants buffers on a boundary, and Node hides addresses: try offsets until the kernel is content. */
  function alignedBuffer(bytes: number): Buffer {
    const room = Buffer.allocUnsafeSlow(bytes + alignment);
    for (let offset = 0; offset < alignment; offset += 16) {
      const candidate = room.subarray(offset, offset + bytes);
      try {
        fs.writeSync(fd, candidate.subarray(0, alignment), 0, alignment, 0);
        return candidate;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      }
    }
    throw new Error('no alignment suits this file system');
  }

  function transfer(direction: 'read' | 'write', buffer: Buffer, bytes: number, at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, moved: number) => {
        if (error !== null) reject(error);
        else if (moved !== bytes) reject(new Error(`moved ${moved} of ${bytes} bytes at ${at}`));
        else resolve();
      };
      if (direction === 'read') fs.read(fd, buffer, 0, bytes, at, settle);
      else fs.write(fd, buffer, 0, bytes, at, settle);
    });
  }

  async function fill({ bytes, seconds, least }: Extract<DirectRequest, { kind: 'fill' }>) {
    const chunk = 4 * 2 ** 20;
    const buffer = alignedBuffer(chunk);
    const { randomFillSync } = process.getBuiltinModule('node:crypto');
    const endsAt = performance.now() + 1e3 * seconds;
    let at = 0;
    while (at < bytes && (at < least || performance.now() < endsAt)) {
      // Random, so that no device can compress it or store equal blocks once.
      randomFillSync(buffer);
      const part = Math.min(chunk, bytes - at);
      await transfer('write', buffer, part, at);
      at += part;
      process.send!({ filling: at });
    }
    fs.fsyncSync(fd);
    scratchBytes = at;
    free = [];
    process.send!({ filled: at });
  }

  async function run(request: Extract<DirectRequest, { kind: 'run' }>) {
    const { direction, bytes, streams, seconds, rampSeconds, chunkBytes, depth } = request;
    const lanes = Math.min(depth, Math.ceil(bytes / chunkBytes));
    if (free[0] !== undefined && free[0].length < chunkBytes) free = [];
    while (free.length < lanes * streams) free.push(alignedBuffer(chunkBytes));

    // A throttle lets a pause be made up for at full speed: that is spent before anything is counted.
    async function ramp(): Promise<void> {
      const endsAt = performance.now() + 1e3 * rampSeconds;
      let at = 0;
      const lane = async (buffer: Buffer) => {
        while (performance.now() < endsAt) {
          at = (at + chunkBytes) % (scratchBytes - chunkBytes);
          await transfer(direction, buffer, chunkBytes, at);
        }
      };
      await Promise.all(free.slice(0, depth).map(lane));
    }

    async function object(stream: number, startsAt: number): Promise<void> {
      let next = 0;
      const lane = async (buffer: Buffer) => {
        for (let offset = next; offset < bytes; offset = next) {
          next = offset + chunkBytes;
          const part = Math.ceil(Math.min(chunkBytes, bytes - offset) / alignment) * alignment;
          const at = (startsAt + offset) % scratchBytes;
          await transfer(direction, buffer, part, at + part > scratchBytes ? 0 : at);
        }
      };
      const buffers = free.slice(stream * lanes, (stream + 1) * lanes);
      await Promise.all(buffers.map(lane));
    }

    await ramp();
    const waves: number[] = [];
    const endsAt = performance.now() + 1e3 * seconds;
    const stride = Math.ceil(bytes / chunkBytes) * chunkBytes;
    do {
      const starts = Array.from({ length: streams }, (_, i) => cursor + i * stride);
      cursor = (cursor + streams * stride) % scratchBytes;
      const startedAt = performance.now();
      await Promise.all(starts.map((at, stream) => object(stream, at)));
      waves.push((performance.now() - startedAt) / 1e3);
      // Not again where the next wave would end late by more than half of itself.
    } while (performance.now() + 5e2 * waves.at(-1)! < endsAt);
    process.send!({ waves });
  }

  process.on('disconnect', () => process.exit());
  process.on('message', (request: DirectRequest) => {
    const work = request.kind === 'fill' ? fill(request) : run(request);
    work.catch((error: NodeJS.ErrnoException) =>
      process.send!({ code: error.code ?? '', message: error.message }),
    );
  });
}

import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { EvicpressError, printable } from '../errors.js';

/** What a Redis server answers: text, a number, bytes, nothing, or a list of these. */
export type RespReply = string | number | Buffer | null | RespReply[];

/** An answer that says no: `WRONGPASS …`, `MOVED 42 10.0.0.7:6379`. */
export class RespError extends Error {
  get code(): string {
    return this.message.split(' ', 1)[0]!;
  }
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

const CONNECT_MILLISECONDS = 10_000;
/** A server that neither sends nor takes anything for this long is taken for dead. */
const SILENCE_MILLISECONDS = 30_000;
/** What a plain socket takes at once: the default of 64 KiB costs an event for each. */
const READ_BYTES = 2 ** 20;
const CRLF = Buffer.from('\r\n');

/**
 * One connection to a Redis or Valkey server, one command at a time. The protocol is small and values are large:
 * a body goes straight into one buffer that is used again for the next value of the same length.
 */
export class RespConnection {
  private readonly parser = new RespParser();
  private waiting: { resolve: (reply: RespReply) => void; reject: (error: Error) => void } | undefined;
  private failure: Error | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly where: string,
  ) {
    socket.setNoDelay(true);
    // TLS only: a plain socket reads into a buffer of its own, see open.
    socket.on('data', (data: Buffer) => this.receive(data));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.fail(`failed (${error.code ?? error.message})`),
    );
    socket.on('close', () => this.fail('was closed by the server'));
    socket.setTimeout(SILENCE_MILLISECONDS, () => {
      if (this.waiting !== undefined)
        socket.destroy(new Error(`no answer for ${SILENCE_MILLISECONDS / 1e3} s`));
    });
  }

  /** @throws EvicpressError where nobody answers. */
  static open({ host, port, tls }: RedisAddress): Promise<RespConnection> {
    const where = `${printable(host)}:${port}`;
    return new Promise((resolve, reject) => {
      let connection: RespConnection | undefined;
      const onread = {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (bytes: number, buffer: Uint8Array) => {
          connection?.receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      };
      const socket = tls
        ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) })
        : connectPlain({ host, port, onread });
      const refuse = (why: string) => {
        socket.destroy();
        const trust = /CERT|ISSUER|SIGN/.test(why)
          ? `shows a certificate that is not trusted here (${why}). Name its authority in NODE_EXTRA_CA_CERTS=FILE.`
          : `cannot be reached (${why}). Is the server running, and is the address right?`;
        reject(new EvicpressError(`Redis at ${where} ${trust}`));
      };
      socket.setTimeout(CONNECT_MILLISECONDS, () => refuse('no answer'));
      socket.once('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message));
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        socket.removeAllListeners('timeout').removeAllListeners('error');
        connection = new RespConnection(socket, where);
        resolve(connection);
      });
    });
  }

  /** Sends one command. @throws RespError when the server says no; EvicpressError when the connection ends. */
  send(...words: (string | Buffer)[]): Promise<RespReply> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.cork();
      this.socket.write(`*${words.length}\r\n`);
      for (const word of words) {
        const bytes = typeof word === 'string' ? Buffer.from(word) : word;
        this.socket.write(`$${bytes.length}\r\n`);
        this.socket.write(bytes);
        this.socket.write(CRLF);
      }
      this.socket.uncork();
    });
  }

  close(): void {
    this.failure ??= new EvicpressError(`The connection to Redis at ${this.where} is closed.`);
    this.socket.removeAllListeners('close').destroy();
    this.waiting?.reject(this.failure);
    this.waiting = undefined;
  }

  private receive(chunk: Buffer): void {
    this.parser.push(chunk, (reply) => this.settle(reply));
  }

  private settle(reply: RespReply | RespError): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (reply instanceof RespError) waiting?.reject(reply);
    else waiting?.resolve(reply);
  }

  private fail(why: string): void {
    this.failure ??= new EvicpressError(
      `The connection to Redis at ${this.where} ${why}. Is the server still running? Measure again.`,
    );
    this.waiting?.reject(this.failure);
    this.waiting = undefined;
  }
}

/** Reads RESP2 from a stream of chunks. */
export class RespParser {
  private rest: Buffer = Buffer.alloc(0);
  private body: Buffer = Buffer.alloc(0);
  private bodyFilled = -1;
  private readonly lists: { items: RespReply[]; left: number }[] = [];

  /** Takes the next chunk and hands over every reply that is complete. */
  push(chunk: Buffer, onReply: (reply: RespReply | RespError) => void): void {
    let data = chunk;
    while (data.length > 0) {
      if (this.bodyFilled >= 0) {
        data = this.takeBody(data, onReply);
        continue;
      }
      if (this.rest.length > 0) data = Buffer.concat([this.rest, data]);
      const end = data.indexOf(CRLF);
      if (end === -1) {
        // A copy: the socket reads its next chunk into the same memory.
        this.rest = Buffer.from(data);
        return;
      }
      this.rest = Buffer.alloc(0);
      this.takeLine(data.toString('latin1', 0, 1), data.toString('utf8', 1, end), onReply);
      data = data.subarray(end + 2);
    }
  }

  /** Copies into the value's buffer; two more bytes end it. */
  private takeBody(data: Buffer, onReply: (reply: RespReply | RespError) => void): Buffer {
    const part = data.subarray(0, this.body.length - this.bodyFilled);
    part.copy(this.body, this.bodyFilled);
    this.bodyFilled += part.length;
    if (this.bodyFilled === this.body.length) {
      this.bodyFilled = -1;
      this.complete(this.body.subarray(0, this.body.length - 2), onReply);
    }
    return data.subarray(part.length);
  }

  private takeLine(kind: string, text: string, onReply: (reply: RespReply | RespError) => void): void {
    const length = Number(text);
    if (kind === '+') this.complete(text, onReply);
    else if (kind === '-') this.complete(new RespError(text), onReply);
    else if (kind === ':') this.complete(length, onReply);
    else if (kind === '*' && length > 0) this.lists.push({ items: [], left: length });
    else if (kind === '*') this.complete(length < 0 ? null : [], onReply);
    else if (kind === '$' && length < 0) this.complete(null, onReply);
    else if (kind === '$') {
      // A large buffer is used again; small values are kept by whoever asked, so they get their own.
      if (this.body.length !== length + 2 || length < 2 ** 16) this.body = Buffer.allocUnsafe(length + 2);
      this.bodyFilled = 0;
    } else {
      const what = `PROTOCOL this is not a Redis server ("${printable(kind + text, 40)}")`;
      this.complete(new RespError(what), onReply);
    }
  }

  private complete(value: RespReply | RespError, onReply: (reply: RespReply | RespError) => void): void {
    const list = this.lists.at(-1);
    if (list === undefined || value instanceof RespError) {
      this.lists.length = 0;
      onReply(value);
      return;
    }
    list.items.push(value);
    list.left--;
    if (list.left === 0) {
      this.lists.pop();
      this.complete(list.items, onReply);
    }
  }
}

import { EvicpressError, printable } from '../errors.js';
import { type RedisAddress, RespConnection, RespError, type RespReply } from './resp.js';

/** A server as its URL names it. */
export interface RedisTarget extends RedisAddress {
  readonly user?: string;
  readonly password?: string;
  readonly database: number;
  /** The URL without its password: fit for files and messages. */
  readonly shown: string;
}

/**
 * Reads `redis://[user[:password]@]host[:port][/database]`; `rediss://` is TLS. Without a password in it, that of
 * the environment counts: REDISCLI_AUTH, as for redis-cli.
 * @throws EvicpressError on anything else.
 */
export function parseRedisUrl(text: string, environment: NodeJS.ProcessEnv = process.env): RedisTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const database = Number(url?.pathname.replace(/^\//, '') || '0');
  if (
    url === undefined ||
    !/^rediss?:$/.test(url.protocol) ||
    url.hostname === '' ||
    !Number.isInteger(database)
  ) {
    throw new EvicpressError(
      `"${printable(text.replace(/\/\/.*@/, '//…@'))}" is not a Redis address. Write it like redis://127.0.0.1:6379 or rediss://user:password@host:6380/0.`,
    );
  }
  const password = decodeURIComponent(url.password) || environment.REDISCLI_AUTH;
  const user = decodeURIComponent(url.username);
  const port = url.port === '' ? 6379 : Number(url.port);
  const path = database === 0 ? '' : `/${database}`;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    tls: url.protocol === 'rediss:',
    database,
    ...(password ? { password } : {}),
    ...(user === '' ? {} : { user }),
    shown: `${url.protocol}//${user === '' ? '' : `${user}@`}${url.hostname}:${port}${path}`,
  };
}

/**
 * One stream's way to a server or to a cluster: follows the cluster's redirections and keeps a connection to
 * every node it was sent to.
 */
export class RedisClient {
  private readonly connections = new Map<string, Promise<RespConnection>>();
  /** Where a key was last found. */
  private readonly nodes = new Map<string, RedisAddress>();

  constructor(private readonly target: RedisTarget) {}

  get host(): string {
    return this.target.host;
  }

  /** A command about the server as a whole. @throws EvicpressError */
  async ask(...words: string[]): Promise<RespReply> {
    return (await this.connection(this.target)).send(...words).catch((error) => {
      throw this.refusal(error);
    });
  }

  /** A command about one key, at whichever node holds it. @throws EvicpressError */
  async at(key: string, ...words: (string | Buffer)[]): Promise<RespReply> {
    for (let redirections = 0; ; redirections++) {
      const connection = await this.connection(this.nodes.get(key) ?? this.target);
      try {
        return await connection.send(...words);
      } catch (error) {
        const moved = error instanceof RespError ? /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(error.message) : null;
        if (moved === null || redirections === 5) throw this.refusal(error);
        const host = moved[2] === '' ? this.target.host : moved[2]!;
        const node = { host, port: Number(moved[3]), tls: this.target.tls };
        if (moved[1] === 'MOVED') this.nodes.set(key, node);
        else {
          const asked = await this.connection(node);
          await asked.send('ASKING');
          return asked.send(...words);
        }
      }
    }
  }

  close(): void {
    for (const connection of this.connections.values()) {
      connection.then((open) => open.close()).catch(() => undefined);
    }
    this.connections.clear();
  }

  private connection(address: RedisAddress): Promise<RespConnection> {
    const name = `${address.host}:${address.port}`;
    let connection = this.connections.get(name);
    if (connection === undefined) {
      connection = this.login(address);
      this.connections.set(name, connection);
    }
    return connection;
  }

  private async login(address: RedisAddress): Promise<RespConnection> {
    const connection = await RespConnection.open(address);
    const { user, password, database } = this.target;
    try {
      if (password !== undefined) {
        await connection.send('AUTH', ...(user === undefined ? [] : [user]), password);
      }
      if (database !== 0) await connection.send('SELECT', String(database));
      await connection.send('PING');
    } catch (error) {
      connection.close();
      throw this.refusal(error);
    }
    return connection;
  }

  /** A server's no in words; other errors pass unchanged. */
  private refusal(error: unknown): unknown {
    if (!(error instanceof RespError)) return error;
    const where = `Redis at ${this.target.shown}`;
    switch (error.code) {
      case 'NOAUTH':
        return new EvicpressError(
          `${where} wants a password. Set REDISCLI_AUTH, or write redis://:PASSWORD@host.`,
        );
      case 'WRONGPASS':
      case 'ERR':
        if (error.code === 'WRONGPASS' || /password|AUTH/.test(error.message))
          return new EvicpressError(`${where} refuses the password. Check REDISCLI_AUTH or the address.`);
        break;
      case 'NOPERM':
        return new EvicpressError(
          `${where}: this user may not do what measuring needs (${printable(error.message)}). Allow GET, SET, UNLINK and INFO on keys evicpress:*.`,
        );
      case 'OOM':
        return new EvicpressError(
          `${where} has no room left for test data. Free some memory there, or set a smaller --scratch.`,
        );
      case 'READONLY':
        return new EvicpressError(`${where} is a read-only replica. Name its primary.`);
    }
    return new EvicpressError(`${where} refused a command: ${printable(error.message)}.`);
  }
}

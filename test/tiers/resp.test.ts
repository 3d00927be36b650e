import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRedisUrl, RedisClient } from '../../src/tiers/redis-client.js';
import { RespError, RespParser, type RespReply } from '../../src/tiers/resp.js';

function parse(text: string, chunkBytes: number): (RespReply | RespError)[] {
  const replies: (RespReply | RespError)[] = [];
  const parser = new RespParser();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    parser.push(bytes.subarray(at, at + chunkBytes), (reply) => replies.push(reply));
  }
  return replies;
}

describe('RespParser', () => {
  const text = '+OK\r\n:42\r\n$5\r\nhe\r\no\r\n$-1\r\n$0\r\n\r\n*2\r\n$1\r\na\r\n:7\r\n*0\r\n-ERR no\r\n';

  it.each([1, 2, 3, 7, 1000])('reads every kind of reply in chunks of %i bytes', (chunkBytes) => {
    expect(parse(text, chunkBytes)).toEqual([
      'OK',
      42,
      Buffer.from('he\r\no'),
      null,
      Buffer.from(''),
      [Buffer.from('a'), 7],
      [],
      new RespError('ERR no'),
    ]);
  });

  it('knows a server that speaks something else', () => {
    expect(parse('HTTP/1.1 400 Bad Request\r\n', 1000)[0]).toBeInstanceOf(RespError);
  });
});

describe('parseRedisUrl', () => {
  it('reads all parts and never shows the password', () => {
    const target = parseRedisUrl('rediss://me:s%40fe@cache.example:6390/2', {});
    expect(target).toMatchObject({ host: 'cache.example', port: 6390, tls: true, database: 2 });
    expect(target).toMatchObject({ user: 'me', password: 's@fe' });
    expect(target.shown).toBe('rediss://me@cache.example:6390/2');
  });

  it('takes the password from the environment as redis-cli does', () => {
    expect(parseRedisUrl('redis://[::1]', { REDISCLI_AUTH: 'x' })).toMatchObject({
      host: '::1',
      port: 6379,
      password: 'x',
    });
  });

  it.each(['http://x', 'redis://', 'redis://h/zero', 'nonsense'])('refuses %s', (text) => {
    expect(() => parseRedisUrl(text, {})).toThrow(/is not a Redis address/);
  });

  it('does not repeat a password in its message', () => {
    expect(() => parseRedisUrl('redis://u:secret@h/zero', {})).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});

describe('RedisClient', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** A server that answers each command by its first word. */
  function answering(answer: (command: string, socket: Socket) => string): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        const command = /\$\d+\r\n([A-Z]+)/.exec(data.toString('latin1'))?.[1] ?? '';
        const text = answer(command, socket);
        if (text !== '') socket.write(text);
      });
    });
    servers.push(server);
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
  }

  const clientOf = (port: number) => new RedisClient(parseRedisUrl(`redis://127.0.0.1:${port}`, {}));

  it('follows a cluster to the node that holds the key, and remembers it', async () => {
    let asked = 0;
    const holder = await answering((command) => (command === 'GET' ? '$2\r\nhi\r\n' : '+OK\r\n'));
    const first = await answering((command) => {
      if (command !== 'GET') return '+OK\r\n';
      asked++;
      return `-MOVED 42 127.0.0.1:${holder}\r\n`;
    });
    const client = clientOf(first);
    expect(await client.at('k', 'GET', 'k')).toEqual(Buffer.from('hi'));
    expect(await client.at('k', 'GET', 'k')).toEqual(Buffer.from('hi'));
    expect(asked).toBe(1);
    client.close();
  });

  it.each([
    ['NOAUTH Authentication required.', /wants a password/],
    ['WRONGPASS invalid username-password pair', /refuses the password/],
    ['NOPERM this user has no permissions', /this user may not do/],
    ['READONLY You can not write', /read-only replica/],
    ['LOADING Redis is loading', /refused a command: LOADING/],
  ])('puts %s into words', async (line, message) => {
    const port = await answering(() => `-${line}\r\n`);
    const client = clientOf(port);
    await expect(client.ask('INFO')).rejects.toThrow(message);
    client.close();
  });

  it('says so when the server dies in the middle', async () => {
    const port = await answering((command, socket) => {
      if (command !== 'GET') return '+OK\r\n';
      socket.write('$1000\r\npart');
      setTimeout(() => socket.destroy(), 20);
      return '';
    });
    const client = clientOf(port);
    await expect(client.at('k', 'GET', 'k')).rejects.toThrow(/was closed by the server|failed/);
    await expect(client.at('k', 'GET', 'k')).rejects.toThrow(/Is the server still running/);
    client.close();
  });

  it('says so when nobody listens', async () => {
    const port = await answering(() => '');
    await new Promise((resolve) => servers.splice(0)[0]!.close(resolve));
    await expect(clientOf(port).ask('PING')).rejects.toThrow(/cannot be reached \(ECONNREFUSED\)/);
  });
});

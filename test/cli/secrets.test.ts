import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sandbox } from '../support/cli.js';

const PASSWORD = `hunter-${process.pid}-${Date.now()}`;
const box = sandbox();

/** What `ps` shows of every process that this user may see. */
function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    })
    .join('\n');
}

/** A Redis that looks at the list of processes while a client waits for its answer, and refuses every password. */
async function refusingRedis(): Promise<{ port: number; seen: { received: string; processes: string } }> {
  const seen = { received: '', processes: '' };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      seen.received += data;
      seen.processes += commandLines();
      socket.write('-WRONGPASS invalid username-password pair\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

describe.skipIf(process.platform !== 'linux')('a password', () => {
  it.each([
    ['the environment', (port: number) => `redis://127.0.0.1:${port}`, { REDISCLI_AUTH: PASSWORD }],
    ['evicpress.yaml', (port: number) => `redis://me:${PASSWORD}@127.0.0.1:${port}`, {}],
  ])('from %s reaches the server, and neither the list of processes nor a message', async (_, url, env) => {
    const { port, seen } = await refusingRedis();
    box.write('evicpress.yaml', `profile:\n  tier:\n    kv: redis:${url(port)}\n`);
    const { exitCode, stdout, stderr } = await box.run(['profile', 'tiers', '--quick'], env);
    expect(seen.received).toContain(PASSWORD);
    expect(seen.processes).toContain('evicpress.js');
    expect(seen.processes).not.toContain(PASSWORD);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/refuses the password/);
    expect(stdout + stderr).not.toContain(PASSWORD);
  });
});

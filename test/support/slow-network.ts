import { execFileSync, spawnSync } from 'node:child_process';

/**
 * A network of one link to a space of its own, with a token bucket on each side: `burstBytes` at full speed, then
 * `bytesPerSecond` (the kernel's tbf). Root only.
 */
export class SlowNetwork {
  /** The far end, where a server in `inside` can listen. */
  readonly address = '198.18.0.2';
  private readonly space = `evicpress-${process.pid}`;
  private readonly near = `ep${process.pid}`;

  constructor(bytesPerSecond: number, burstBytes: number) {
    const far = `${this.near}f`;
    ip('netns', 'add', this.space);
    ip('link', 'add', this.near, 'type', 'veth', 'peer', 'name', far, 'netns', this.space);
    ip('addr', 'add', '198.18.0.1/30', 'dev', this.near);
    ip('link', 'set', this.near, 'up');
    ip('-n', this.space, 'addr', 'add', `${this.address}/30`, 'dev', far);
    ip('-n', this.space, 'link', 'set', far, 'up');
    const bucket = [
      'root',
      'tbf',
      'rate',
      `${8 * bytesPerSecond}bit`,
      'burst',
      `${burstBytes}`,
      'latency',
      '50ms',
    ];
    execFileSync('tc', ['qdisc', 'add', 'dev', this.near, ...bucket]);
    execFileSync('tc', ['-n', this.space, 'qdisc', 'add', 'dev', far, ...bucket]);
  }

  /** A command line that runs another one at the far end. */
  inside(program: string, args: readonly string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.space, program, ...args]];
  }

  remove(): void {
    ip('link', 'del', this.near);
    ip('netns', 'del', this.space);
  }
}

/** Why there can be no such network here; undefined where there can. */
export function noSlowNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'a network space takes root';
  const tools = ['ip', 'tc'].every((tool) => spawnSync(tool, ['-V']).status === 0);
  if (!tools) return 'ip and tc are missing (apt install iproute2)';
  const name = `evicpress-try-${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return 'network spaces are not allowed here';
  spawnSync('ip', ['netns', 'del', name]);
  return undefined;
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

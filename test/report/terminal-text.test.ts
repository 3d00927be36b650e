import { describe, expect, it, vi } from 'vitest';
import { showsColour } from '../../src/report/colour.js';
import { fittingTable, tableText } from '../../src/report/table-text.js';
import { openTerminal } from '../../src/report/terminal.js';
import { wrapped } from '../../src/report/wrap.js';

describe('colour', () => {
  const terminal = { isTTY: true };
  it('is for terminals that show it, and for whoever asks', () => {
    expect(showsColour(terminal, {})).toBe(true);
    expect(showsColour({}, {})).toBe(false);
    expect(showsColour(terminal, { TERM: 'dumb' })).toBe(false);
    expect(showsColour(terminal, { NO_COLOR: '1' })).toBe(false);
    expect(showsColour(terminal, { NO_COLOR: '' })).toBe(true);
    expect(showsColour(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
    expect(showsColour({}, { FORCE_COLOR: '1' })).toBe(true);
  });
});

describe('the spinner', () => {
  const drawn = async (env: Readonly<Record<string, string>>) => {
    const text: string[] = [];
    const plain = { isTTY: true, cursorTo: () => true, clearLine: () => true, moveCursor: () => true };
    const kept = Object.fromEntries(Object.keys(plain).map((key) => [key, Reflect.get(process.stderr, key)]));
    Object.assign(process.stderr, plain);
    // Where CI is set, the spinner takes no terminal for one.
    vi.stubEnv('CI', undefined);
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      text.push(String(chunk));
      return true;
    });
    const terminal = openTerminal({});
    try {
      terminal.progress({ stage: 'measuring', done: 1, total: 2 });
      await vi.waitFor(() => expect(text.join('')).toContain('measuring'), { timeout: 10_000 });
    } finally {
      terminal.finish();
      write.mockRestore();
      vi.unstubAllEnvs();
      Object.assign(process.stderr, kept);
    }
    return text.join('');
  };

  it('has a colour, and none with NO_COLOR', async () => {
    expect(await drawn({ NO_COLOR: '', TERM: 'xterm', FORCE_COLOR: '1' })).toContain('\u001b[36m');
    expect(await drawn({ NO_COLOR: '1', TERM: 'xterm' })).not.toMatch(/\u001b\[\d+m/);
  });
});

describe('a table', () => {
  it('aligns figures at the right and words at the left', () => {
    const rows = [
      ['dram', 'fast', '1.5 GB', '< 1 %'],
      ['ssd', 'a slow one', '200 GB', '12.0 %'],
    ];
    expect(tableText(['tier', 'note', 'bytes', 'share'], rows)).toBe(
      [
        'tier  note         bytes   share',
        '────────────────────────────────',
        'dram  fast        1.5 GB   < 1 %',
        'ssd   a slow one  200 GB  12.0 %',
      ].join('\n'),
    );
  });

  it('wraps its words before it gives up being a table', () => {
    const text = fittingTable(
      ['what', 'detail'],
      [['fio', 'a second opinion on every disk of this machine']],
      40,
    );
    expect(text).toContain('─');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('changes rows and columns where only that fits', () => {
    const head = ['policy', ...Array.from({ length: 8 }, (_, i) => `a figure ${i}`)];
    const rows = ['lru', 'belady'].map((name) => [name, ...head.slice(1).map((_, i) => `${i}`)]);
    const [first, , second] = fittingTable(head, rows, 40).split('\n');
    expect(first).toBe('policy      lru  belady');
    expect(second).toBe('a figure 0    0       0');
  });
});

describe('prose', () => {
  it('is broken between words on a terminal, and left whole in a pipe', () => {
    const text = '  one two three four five';
    expect(wrapped(text, 14)).toBe('  one two\n  three four\n  five');
    expect(wrapped(text, undefined)).toBe(text);
    expect(wrapped('Next: evicpress plan --trace requests.jsonl', 14)).not.toContain('\n');
  });
});

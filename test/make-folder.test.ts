import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from '../src/make-folder.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evicpress-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a folder', () => {
  it('is made with all it lies in, and left as it is where it is there', async () => {
    const path = join(folder, 'a', 'b', 'c');
    await makeFolder(path, 0o700);
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
    writeFileSync(join(path, 'file'), '');
    await makeFolder(path);
    expect(existsSync(join(path, 'file'))).toBe(true);
  });

  it('is made by many at once', async () => {
    const path = join(folder, ...'abcdefgh');
    await Promise.all(Array.from({ length: 20 }, () => makeFolder(path)));
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it('is refused where it cannot be made', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(makeFolder(join(folder, 'file'))).rejects.toThrow(/EEXIST/);
    await expect(makeFolder(join(folder, 'file', 'a'))).rejects.toThrow(/EEXIST|ENOTDIR/);
  });

  it.runIf(existsSync('/proc/self'))('is refused where the system knows no new names', () =>
    expect(makeFolder('/proc/a/b')).rejects.toThrow(/ENOENT/),
  );
});

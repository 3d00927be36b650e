import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PROFILES_FOLDER } from './bundled.js';
import type { PlanHeader } from './plan.js';

/** Where the files lie that a plan was made from, as far as they are still the same bytes. */
export interface PlanInputs {
  readonly tiers?: string;
  readonly methods?: string;
  readonly contexts?: string;
  /** Of a model that is none of the bundled ones. */
  readonly model?: string;
  /** The request log. */
  readonly trace?: string;
  /** Names of files that have changed since, and of those that are gone. */
  readonly changed: readonly string[];
  readonly gone: readonly string[];
}

/** Finds the files that a plan's header names, by the paths it records and the hashes of their bytes. */
export async function inputsOfPlan(header: PlanHeader | undefined): Promise<PlanInputs> {
  const found: { -readonly [kind in Kind]?: string } = {};
  const changed: string[] = [];
  const gone: string[] = [];
  for (const { path, sha256 } of header?.inputs ?? []) {
    const file = path.startsWith('bundled:') ? join(PROFILES_FOLDER, path.slice('bundled:'.length)) : path;
    if (!existsSync(file)) gone.push(basename(file));
    else if ((await sha256Of(file)) === sha256) found[await kindOf(file)] = file;
    else changed.push(basename(file));
  }
  return { ...found, changed, gone };
}

type Kind = 'tiers' | 'methods' | 'contexts' | 'model' | 'trace';

/** What a file is, by its first bytes: a request log is what is none of ours. */
async function kindOf(path: string): Promise<Kind> {
  for await (const chunk of createReadStream(path, { end: 4095, encoding: 'utf8' })) {
    const head = String(chunk);
    const [line] = head.split('\n');
    if (/"format"\s*:\s*"evicpress\.tiers"/.test(head) || /^\s*\{\s*"tiers"/.test(head)) return 'tiers';
    if (/"format"\s*:\s*"evicpress\.model"/.test(head) || /"kvBytesPerToken"/.test(head)) return 'model';
    if (/"format"\s*:\s*"evicpress\.methods"/.test(head) || /"compressionRatio"/.test(line!))
      return 'methods';
    if (/"format"\s*:\s*"evicpress\.contexts"/.test(head) || /"accesses"/.test(line!)) return 'contexts';
    break;
  }
  return 'trace';
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

import { execa } from 'execa';
import { CHUNK_BYTES, DEPTH } from './direct-io.js';

/** Asynchronous engines first: they keep all transfers of a stream under way from one thread. */
const ENGINES = ['io_uring', 'libaio', 'psync'] as const;

/** One reading by fio. */
export interface FioReading {
  readonly version: string;
  readonly engine: string;
  readonly bytesPerSecond: number;
}

/** Runs a program to its end. @throws where it is missing or fails. */
export type RunProgram = (program: string, args: readonly string[], seconds: number) => Promise<string>;

const runProgram: RunProgram = async (program, args, seconds) => {
  const { stdout } = await execa(program, args, { timeout: 1e3 * seconds, stdin: 'ignore' });
  return stdout;
};

/**
 * What fio says one stream reads from a file, in the same chunks and as many at once as our own reader.
 * @returns undefined where fio is missing or none of its engines works here.
 */
export async function fioRead(
  path: string,
  bytes: number,
  seconds: number,
  run: RunProgram = runProgram,
): Promise<FioReading | undefined> {
  for (const engine of ENGINES) {
    const args = [
      '--name=evicpress',
      `--filename=${path}`,
      `--size=${bytes}`,
      '--rw=read',
      `--bs=${CHUNK_BYTES}`,
      `--iodepth=${DEPTH}`,
      `--ioengine=${engine}`,
      '--direct=1',
      '--time_based',
      `--runtime=${Math.round(1e3 * seconds)}ms`,
      // Never lays out, truncates or overwrites anything.
      '--readonly',
      '--allow_file_create=0',
      '--output-format=json',
    ];
    const reading = await run('fio', args, seconds + 20).then(readReport, missingOrRefused);
    if (reading === 'missing') return undefined;
    if (reading !== undefined) return { ...reading, engine };
  }
  return undefined;
}

function missingOrRefused(error: NodeJS.ErrnoException): 'missing' | undefined {
  return error.code === 'ENOENT' ? 'missing' : undefined;
}

/** The figures of fio's JSON report; warnings may stand before it. */
function readReport(text: string): { version: string; bytesPerSecond: number } | undefined {
  try {
    const report = JSON.parse(text.slice(text.indexOf('{'))) as {
      'fio version'?: string;
      jobs?: { error?: number; read?: { bw_bytes?: number } }[];
    };
    const [job] = report.jobs ?? [];
    const bytesPerSecond = job?.read?.bw_bytes ?? 0;
    if (job?.error !== 0 || bytesPerSecond <= 0) return undefined;
    return { version: report['fio version'] ?? 'fio', bytesPerSecond };
  } catch {
    return undefined;
  }
}

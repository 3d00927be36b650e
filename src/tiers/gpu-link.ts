import { execa } from 'execa';

/** A GPU as nvidia-smi describes it. */
export interface Gpu {
  readonly index: number;
  readonly name: string;
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
}

/** What the link carries between pinned host memory and the device. */
export interface LinkFigures {
  readonly toDeviceBytesPerSecond: number;
  readonly toHostBytesPerSecond: number;
  readonly tool: string;
}

/** Runs a program. @returns its standard output; undefined where it is missing or fails. */
export type TryProgram = (
  program: string,
  args: readonly string[],
  seconds: number,
) => Promise<string | undefined>;

const tryProgram: TryProgram = async (program, args, seconds) => {
  const result = await execa(program, args, { timeout: 1e3 * seconds, stdin: 'ignore', reject: false });
  return result.failed ? undefined : result.stdout;
};

const MEBIBYTE = 2 ** 20;

/** The GPUs of this machine; none where nvidia-smi is missing. */
export async function findGpus(run: TryProgram = tryProgram): Promise<Gpu[]> {
  const text = await run(
    'nvidia-smi',
    ['--query-gpu=index,name,memory.total,memory.free', '--format=csv,noheader,nounits'],
    10,
  );
  return (text ?? '')
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 4 && /^\d+$/.test(cells[0]!))
    .map(([index, name, total, free]) => ({
      index: Number(index),
      name: name!,
      memoryBytes: Number(total) * MEBIBYTE,
      freeMemoryBytes: Number(free) * MEBIBYTE,
    }));
}

/** Measures the link of one GPU by the first tool that is there. @returns undefined where none is. */
export async function measureLink(
  gpu: number,
  seconds: number,
  run: TryProgram = tryProgram,
): Promise<LinkFigures | undefined> {
  return (await byNvbandwidth(gpu, run)) ?? (await byTorch(gpu, seconds, run));
}

/** nvbandwidth's copy engines: each test prints a matrix with a column for every GPU, in GB/s. */
async function byNvbandwidth(gpu: number, run: TryProgram): Promise<LinkFigures | undefined> {
  const tests = ['host_to_device_memcpy_ce', 'device_to_host_memcpy_ce'];
  const text = await run('nvbandwidth', ['-j', '-t', ...tests], 120);
  if (text === undefined) return undefined;
  try {
    const report = JSON.parse(text.slice(text.indexOf('{'))) as {
      nvbandwidth: { git_version?: string; testcases: { name: string; bandwidth_matrix?: string[][] }[] };
    };
    const [toDevice, toHost] = tests.map((name) => {
      const test = report.nvbandwidth.testcases.find((one) => one.name === name);
      return 1e9 * Number(test?.bandwidth_matrix?.[0]?.[gpu]);
    });
    if (!(toDevice! > 0 && toHost! > 0)) return undefined;
    return {
      toDeviceBytesPerSecond: toDevice!,
      toHostBytesPerSecond: toHost!,
      tool: `nvbandwidth ${report.nvbandwidth.git_version ?? ''}`.trim(),
    };
  } catch {
    return undefined;
  }
}

/** Copies of pinned memory both ways, timed by the device's own events; prints one JSON object. */
const TORCH_COPIES = `
import json, sys, torch
gpu, seconds = int(sys.argv[1]), float(sys.argv[2])
torch.cuda.set_device(gpu)
size = 256 * 2**20
host = torch.empty(size, dtype=torch.uint8, pin_memory=True)
device = torch.empty(size, dtype=torch.uint8, device="cuda")
def rate(target, source):
    target.copy_(source, non_blocking=True)
    torch.cuda.synchronize()
    copies, spent = 0, 0.0
    while spent < seconds / 2:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        target.copy_(source, non_blocking=True)
        end.record()
        torch.cuda.synchronize()
        copies, spent = copies + 1, spent + start.elapsed_time(end) / 1e3
    return copies * size / spent
print(json.dumps({"toDevice": rate(device, host), "toHost": rate(host, device), "torch": torch.__version__}))
`;

async function byTorch(gpu: number, seconds: number, run: TryProgram): Promise<LinkFigures | undefined> {
  const spent = Math.min(seconds, 5);
  const text = await run('python3', ['-c', TORCH_COPIES, String(gpu), String(spent)], spent + 60);
  if (text === undefined) return undefined;
  const { toDevice, toHost, torch } = JSON.parse(text) as { toDevice: number; toHost: number; torch: string };
  return {
    toDeviceBytesPerSecond: toDevice,
    toHostBytesPerSecond: toHost,
    tool: `pinned copies, torch ${torch}`,
  };
}

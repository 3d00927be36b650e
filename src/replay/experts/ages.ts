/** Ages, in requests since the last use, where one bin ends and the next begins: half octaves. */
export const AGE_EDGES: readonly number[] = [
  1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024, 1448, 2048, 2896, 4096,
  5793, 8192, 11585, 16384, 23170, 32768,
];
/** Bin a begins at AGE_EDGES[a − 1] (bin 0 at age 0) and ends before AGE_EDGES[a]. */
export const AGE_BINS = AGE_EDGES.length + 1;

const BIN_OF_SMALL_AGE = Uint8Array.from({ length: 1024 }, (_, age) => binOf(age));

/** The bin an age lies in. */
export function ageBin(age: number): number {
  return age < 1024 ? BIN_OF_SMALL_AGE[age]! : binOf(age);
}

function binOf(age: number): number {
  let bin = 0;
  while (bin < AGE_EDGES.length && age >= AGE_EDGES[bin]!) bin++;
  return bin;
}

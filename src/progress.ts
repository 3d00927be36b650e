/** One report of long work on its way. */
export interface ProgressEvent {
  /** What is being done, in a few words: `dram read`, `wiki-03 keydiff@0.5`. */
  readonly stage: string;
  readonly done: number;
  /** 0 where the end is not known. */
  readonly total: number;
  /** The live figure: a bandwidth, configurations per second. */
  readonly note?: string;
}

/** Long work says how far it is through this argument; it never prints by itself. */
export type OnProgress = (event: ProgressEvent) => void;

/**
 * What a command throws when the user, not the program, can put things right: what is wrong, where, and
 * what to do next, in one message. Anything else that reaches the command line is a defect (exit code 2).
 */
export class EvicpressError extends Error {
  /** 1 the user can fix it · 3 a threshold was not met · 4 another run holds the lock · 130 interrupted. */
  readonly exitCode: 1 | 3 | 4 | 130;

  constructor(message: string, exitCode: 1 | 3 | 4 | 130 = 1) {
    super(message);
    this.name = 'EvicpressError';
    this.exitCode = exitCode;
  }
}

/** A measurement that could not be made although what was to be measured is there: no room for test data. */
export class NotMeasurableError extends EvicpressError {}

/** The page of messages that more than one part of the program needs; the rest stand where they are thrown. */
export const errors = {
  /** A name that is in none of our lists; the nearest one is suggested. */
  unknownName(kind: string, name: string, known: readonly string[]): EvicpressError {
    const near = nearestName(name, known);
    const suggestion = near === undefined ? '' : ` Did you mean ${near}?`;
    const choice = known.length === 0 ? 'There is none here.' : `Pick one of: ${known.join(', ')}.`;
    return new EvicpressError(`Unknown ${kind} "${printable(name)}".${suggestion} ${choice}`);
  },
  missingFile(path: string, what: string, remedy: string): EvicpressError {
    return new EvicpressError(`${printable(path)}: no such file (${what}). ${remedy}`);
  },
  emptyFile(path: string, what: string): EvicpressError {
    return new EvicpressError(`${printable(path)}: the file is empty; expected ${what}.`);
  },
  /** A fault in a file; `line` is counted from 1. */
  badFile(path: string, line: number | undefined, what: string): EvicpressError {
    const place = line === undefined ? path : `${path}:${line}`;
    return new EvicpressError(`${printable(place)}: ${what}`);
  },
  missingInput(what: string, remedy: string): EvicpressError {
    return new EvicpressError(`No ${what} given. ${remedy}`);
  },
  locked(what: string, holder: string): EvicpressError {
    return new EvicpressError(
      `${what} is in use by another run (${holder}). Wait for it, or stop it first.`,
      4,
    );
  },
  interrupted(remedy = ''): EvicpressError {
    return new EvicpressError(`Interrupted.${remedy === '' ? '' : ` ${remedy}`}`, 130);
  },
} as const;

/**
 * Does what reads a value, and lets its message begin with what the value was given for.
 * @param what a flag or a field, e.g. `--hold`.
 * @throws EvicpressError `--hold: "soon" is not a duration. …`
 */
export function naming<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EvicpressError) || error.message.startsWith(`${what}: `)) throw error;
    throw new EvicpressError(`${what}: ${error.message}`, error.exitCode);
  }
}

/** The flag depends on the command; each that writes has one of these. */
const ANOTHER_PLACE = 'another place: -o, or --state for plans in force and what refresh keeps';

/** Turns an error of the operating system into a message for people; other errors pass unchanged. */
export function systemFault(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const shown = printable(path);
  switch (code) {
    case 'ENOSPC':
      return new EvicpressError(
        `${shown}: no space left on the device. Free some room, or choose ${ANOTHER_PLACE}.`,
      );
    case 'EDQUOT':
      return new EvicpressError(
        `${shown}: the disk quota is used up. Free some room, or choose ${ANOTHER_PLACE}.`,
      );
    case 'EACCES':
    case 'EPERM':
      return new EvicpressError(`${shown}: permission denied. Choose a path this user may use.`);
    case 'EROFS':
      return new EvicpressError(`${shown}: the file system is read-only. Choose ${ANOTHER_PLACE}.`);
    case 'ENOENT':
      return new EvicpressError(`${shown}: no such file or folder.`);
    case 'EEXIST':
    case 'ENOTDIR':
      return new EvicpressError(`${shown}: a file is where a folder should be. Choose another path.`);
    case 'EISDIR':
      return new EvicpressError(`${shown}: this is a folder; expected a file.`);
    case 'EBUSY':
      return new EvicpressError(
        `${shown}: something is mounted here, so it cannot be replaced. Choose ${ANOTHER_PLACE}.`,
      );
    case 'ELOOP':
      return new EvicpressError(`${shown}: symbolic links lead in a circle. Choose another path.`);
    case 'ENXIO':
      return new EvicpressError(
        `${shown}: a socket, or a device that is not there: it cannot be opened. Name a file, or put a pipe between, as cat does.`,
      );
    case 'EMFILE':
    case 'ENFILE':
      return new EvicpressError(`${shown}: too many files are open. Raise the limit with ulimit -n.`);
    case 'EFBIG':
      return new EvicpressError(
        `${shown}: the file would be larger than is allowed. Raise the limit with ulimit -f, or choose ${ANOTHER_PLACE}.`,
      );
    case 'ESTALE':
      return new EvicpressError(
        `${shown}: the file server has replaced it meanwhile. Run the command again, or mount the folder anew.`,
      );
    case 'EIO':
      return new EvicpressError(`${shown}: the device reports an error of its own. Check the disk.`);
    case 'ENAMETOOLONG':
      return new EvicpressError(`${shown}: the name is too long.`);
    default:
      return error;
  }
}

/** Control characters, separators of lines, and what is invisible or turns the direction of the text around it. */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g;

/** Text from outside made safe for a terminal: what would steer it is escaped, overlong text cut. */
export function printable(text: string, limit = 200): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(UNPRINTABLE, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The known name with the smallest edit distance, if it is near enough to be a slip of the finger. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase().slice(0, 64), candidate.toLowerCase());
    // A name of which no letter stands was not meant.
    if (distance < Math.min(bestDistance, Math.max(name.length, candidate.length))) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitute, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

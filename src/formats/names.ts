/*
 * Names with a meaning of their own in the files. They stand apart from the schemas, so that a thread that only
 * compares them need not load those.
 */

/** The tier name of a context that is kept nowhere. */
export const RECOMPUTE = 'recompute';
/** The method name of the uncompressed cache. */
export const UNCOMPRESSED = 'none';
/** The context name of pooled rows, which stand for every context (of their class) without rows of its own. */
export const ANY_CONTEXT = '*';

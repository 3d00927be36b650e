/**
 * The items that no other beats: less of `cost`, more of `worth`. Ties stay together. Ascending in cost.
 */
export function paretoFront<T>(
  items: readonly T[],
  cost: (item: T) => number,
  worth: (item: T) => number,
): T[] {
  const sorted = [...items].sort((a, b) => cost(a) - cost(b) || worth(b) - worth(a));
  const front: T[] = [];
  for (const item of sorted) {
    const last = front.at(-1);
    const tied = last !== undefined && cost(item) === cost(last) && worth(item) === worth(last);
    if (last === undefined || tied || worth(item) > worth(last)) front.push(item);
  }
  return front;
}

/**
 * The items that no other beats in both directions: less of `cost` and more of `worth`. Ascending in cost.
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
    if (last === undefined || worth(item) > worth(last)) front.push(item);
  }
  return front;
}

/**
 * Gives ids to prefixes: a block's id is that of its content behind a given prefix, so that equal content in
 * another position is another block.
 */
export class PrefixChain {
  private readonly children = new Map<string, number>();
  private count = 0;

  /** The id of `content` behind the prefix `parent` (−1: at the start). */
  next(parent: number, content: string | number): number {
    const key = `${parent} ${content}`;
    let id = this.children.get(key);
    if (id === undefined) {
      id = this.count++;
      this.children.set(key, id);
    }
    return id;
  }
}

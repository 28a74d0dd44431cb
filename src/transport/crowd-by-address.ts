// Things that strangers made, by the address that they came from: which one goes when there are too many. The address
// with the most loses its oldest, so that one place cannot push out what comes from others.

export class CrowdByAddress<T> {
  readonly #members = new Map<string, Set<T>>();
  readonly #addresses = new Map<T, string>();

  get size(): number {
    return this.#addresses.size;
  }

  add(address: string, item: T): void {
    const others = this.#members.get(address);
    if (others === undefined) this.#members.set(address, new Set([item]));
    else others.add(item);
    this.#addresses.set(item, address);
  }

  delete(item: T): void {
    const address = this.#addresses.get(item);
    if (address === undefined) return;
    this.#addresses.delete(item);
    const others = this.#members.get(address);
    others?.delete(item);
    if (others?.size === 0) this.#members.delete(address);
  }

  clear(): void {
    this.#members.clear();
    this.#addresses.clear();
  }

  /** undefined when there is none. */
  oldestOfMost(): T | undefined {
    let most: Set<T> | undefined;
    for (const items of this.#members.values()) if (items.size > (most?.size ?? 0)) most = items;
    const [oldest] = most ?? [];
    return oldest;
  }
}

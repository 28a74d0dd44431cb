// Things that fall due, the earliest first. Each knows its own place, so that it can be moved or taken out at once.

export interface Due {
  dueMs: number;
  /** Place in the heap; -1 while it is in none. Kept by the heap alone. */
  heapIndex: number;
}

export class DeadlineHeap<T extends Due> {
  private readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  /** Takes it in, or moves it to where its `dueMs` belongs now. */
  place(item: T, dueMs: number): void {
    item.dueMs = dueMs;
    if (item.heapIndex < 0) {
      item.heapIndex = this.items.length;
      this.items.push(item);
    }
    this.settle(item);
  }

  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.items.pop() as T;
    if (last === item) return;
    last.heapIndex = index;
    this.items[index] = last;
    this.settle(last);
  }

  private settle(item: T): void {
    const { items } = this;
    let index = item.heapIndex;
    while (index > 0) {
      const parent = items[(index - 1) >> 1] as T;
      if (parent.dueMs <= item.dueMs) break;
      this.put(parent, index);
      index = (index - 1) >> 1;
    }
    for (;;) {
      let child = index * 2 + 1;
      if (child >= items.length) break;
      const right = child + 1;
      if (right < items.length && (items[right] as T).dueMs < (items[child] as T).dueMs) child = right;
      if ((items[child] as T).dueMs >= item.dueMs) break;
      this.put(items[child] as T, index);
      index = child;
    }
    this.put(item, index);
  }

  private put(item: T, index: number): void {
    this.items[index] = item;
    item.heapIndex = index;
  }
}

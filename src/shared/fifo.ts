// A first-in-first-out queue in an array: constant time at both ends, no cost per element beyond its slot.

/** Elements that are done are let go at once; the array itself is trimmed when half of it is. */
export class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** The oldest element; undefined when empty. */
  peek(): T | undefined {
    return this.items[this.head];
  }

  /** The newest element; undefined when empty. */
  peekLast(): T | undefined {
    return this.length === 0 ? undefined : this.items[this.items.length - 1];
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head];
    this.items[this.head] = undefined;
    this.head++;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= 1024 && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** Removes and returns the newest element. */
  pop(): T | undefined {
    return this.length === 0 ? undefined : this.items.pop();
  }

  clear(): void {
    this.items = [];
    this.head = 0;
  }

  /** Oldest first. The queue must not change meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = this.head; i < this.items.length; i++) yield this.items[i] as T;
  }
}

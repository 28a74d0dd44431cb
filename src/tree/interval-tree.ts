// Which half-open key ranges hold a given key: a treap ordered by (from, to), each node knowing the greatest end below
// it. Insertion, removal and a search cost the logarithm of the number of distinct ranges, plus the hits.

import { SeededRandom } from '../shared/random.js';

/** A range of key texts; `to` undefined = no end. */
export interface TextRange {
  readonly from: string;
  readonly to: string | undefined;
}

interface Node<T> {
  readonly range: TextRange;
  readonly value: T;
  readonly priority: number;
  /** Greatest `to` in this subtree. */
  endMax: string | undefined;
  left: Node<T> | null;
  right: Node<T> | null;
}

export class IntervalTree<T> {
  private root: Node<T> | null = null;
  private readonly random = new SeededRandom(0x7ee);

  /** No equal range may be in it yet. */
  insert(range: TextRange, value: T): void {
    const priority = this.random.nextUint32();
    const node: Node<T> = { range, value, priority, endMax: range.to, left: null, right: null };
    const [left, right] = split(this.root, range);
    this.root = merge(merge(left, node), right);
  }

  remove(range: TextRange): void {
    this.root = without(this.root, range);
  }

  /** Calls `visit` with every range's value that holds `text`. */
  stab(text: string, visit: (value: T) => void): void {
    stabNode(this.root, text, visit);
  }
}

function stabNode<T>(node: Node<T> | null, text: string, visit: (value: T) => void): void {
  let at = node;
  while (at !== null) {
    if (at.endMax !== undefined && at.endMax <= text) return;
    stabNode(at.left, text, visit);
    if (at.range.from > text) return;
    if (at.range.to === undefined || text < at.range.to) visit(at.value);
    at = at.right;
  }
}

/** Order of ranges: by start, then by end, no end last. */
function compareRanges(a: TextRange, b: TextRange): number {
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  if (a.to === b.to) return 0;
  if (a.to === undefined) return 1;
  if (b.to === undefined) return -1;
  return a.to < b.to ? -1 : 1;
}

function split<T>(node: Node<T> | null, range: TextRange): [Node<T> | null, Node<T> | null] {
  if (node === null) return [null, null];
  if (compareRanges(node.range, range) < 0) {
    const [left, right] = split(node.right, range);
    node.right = left;
    refresh(node);
    return [node, right];
  }
  const [left, right] = split(node.left, range);
  node.left = right;
  refresh(node);
  return [left, node];
}

function merge<T>(left: Node<T> | null, right: Node<T> | null): Node<T> | null {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority > right.priority) {
    left.right = merge(left.right, right);
    refresh(left);
    return left;
  }
  right.left = merge(left, right.left);
  refresh(right);
  return right;
}

function without<T>(node: Node<T> | null, range: TextRange): Node<T> | null {
  if (node === null) return null;
  const order = compareRanges(range, node.range);
  if (order === 0) return merge(node.left, node.right);
  if (order < 0) node.left = without(node.left, range);
  else node.right = without(node.right, range);
  refresh(node);
  return node;
}

function refresh<T>(node: Node<T>): void {
  let end = node.range.to;
  if (node.left !== null) end = later(end, node.left.endMax);
  if (node.right !== null) end = later(end, node.right.endMax);
  node.endMax = end;
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a > b ? a : b;
}

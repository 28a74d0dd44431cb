// Are the writes and linearizable reads of one key explained by some order that respects real time? The search of Wing
// and Gong with Lowe's memory of configurations; keys are independent, so each is searched alone. An operation of
// unknown outcome may take effect at any moment after its invocation, or never.

import { absent, type ClientOperation, describeOperation, type WriteNumber } from '../client-history.js';

/** The key's state after the operation if it may happen in this state with its outcome; undefined if it may not. */
function after(state: WriteNumber, operation: ClientOperation): WriteNumber | undefined {
  const effect = effectOf(state, operation);
  switch (operation.outcome) {
    case 'ok':
      if (operation.kind === 'read') return operation.observed === state ? state : undefined;
      return effect;
    case 'exists':
    case 'missing':
    case 'mismatch':
      return effect === undefined && explains(state, operation) ? state : undefined;
    case 'unknown':
      return effect;
    case 'refused':
      return undefined;
  }
}

/** What the operation makes of the state when its condition holds; undefined when it does not, or for reads. */
function effectOf(state: WriteNumber, operation: ClientOperation): WriteNumber | undefined {
  switch (operation.kind) {
    case 'add':
      return state === absent ? operation.write : undefined;
    case 'set':
      return operation.write;
    case 'setIf':
      return state === operation.expected ? operation.write : undefined;
    case 'delete':
      return state === absent ? undefined : absent;
    case 'deleteIf':
      return state !== absent && state === operation.expected ? absent : undefined;
    case 'read':
      return undefined;
  }
}

/** The refusal's reason is true of this state. */
function explains(state: WriteNumber, operation: ClientOperation): boolean {
  if (operation.outcome === 'exists') return state !== absent;
  if (operation.outcome === 'missing') return state === absent;
  return state !== operation.expected;
}

interface Node {
  readonly operation: ClientOperation;
  readonly index: number;
  /** The entry of its return, on the entry of its call. */
  readonly returns: Node | null;
  readonly isCall: boolean;
  previous: Node | null;
  next: Node | null;
}

/**
 * Undefined when the operations of this one key are linearizable, otherwise why not. A search that would try more
 * configurations than `configurationsMax` is given up, which is told as a failure too.
 */
export function checkKey(
  operations: readonly ClientOperation[],
  initial: WriteNumber = absent,
  configurationsMax = Number.POSITIVE_INFINITY,
): string | undefined {
  const relevant = operations.filter(
    (operation) => operation.outcome !== 'refused' && !(operation.kind === 'read' && operation.outcome === 'unknown'),
  );
  const head = timeline(relevant);
  const linearized = new Uint32Array(Math.ceil(relevant.length / 32));
  const seen = new Set<string>();
  const stack: { readonly node: Node; readonly state: WriteNumber }[] = [];
  let state = initial;
  let deepest: ClientOperation | undefined;
  let entry = head.next;
  while (entry !== null) {
    if (entry.isCall) {
      const next = after(state, entry.operation);
      if (next !== undefined && remember(seen, linearized, entry.index, next)) {
        if (seen.size > configurationsMax)
          return `undecided: the search passes ${configurationsMax} configurations of ${relevant.length} operations`;
        stack.push({ node: entry, state });
        state = next;
        lift(entry);
        entry = head.next;
        continue;
      }
      entry = entry.next;
      continue;
    }
    // An operation that must have happened by now has not: undo the latest choice.
    if (deepest === undefined || entry.operation.completed > deepest.completed) deepest = entry.operation;
    const top = stack.pop();
    if (top === undefined) return explain(relevant, deepest);
    const word = top.node.index >>> 5;
    linearized[word] = (linearized[word] as number) & ~(1 << (top.node.index & 31));
    state = top.state;
    unlift(top.node);
    entry = top.node.next;
  }
  return undefined;
}

/** Calls and returns in order of their moments; an operation without an answer has no return. */
function timeline(operations: readonly ClientOperation[]): Node {
  const moments: { readonly at: number; readonly node: Node }[] = [];
  for (const [index, operation] of operations.entries()) {
    let returns: Node | null = null;
    if (operation.outcome !== 'unknown') {
      returns = { operation, index, returns: null, isCall: false, previous: null, next: null };
      moments.push({ at: operation.completed, node: returns });
    }
    moments.push({
      at: operation.invoked,
      node: { operation, index, returns, isCall: true, previous: null, next: null },
    });
  }
  moments.sort((a, b) => a.at - b.at);
  const head: Node = {
    operation: {} as ClientOperation,
    index: -1,
    returns: null,
    isCall: false,
    previous: null,
    next: null,
  };
  let last = head;
  for (const { node } of moments) {
    last.next = node;
    node.previous = last;
    last = node;
  }
  return head;
}

/** Marks the operation as linearized; false, and unmarked, when this configuration was tried before. */
function remember(seen: Set<string>, linearized: Uint32Array, index: number, state: WriteNumber): boolean {
  const word = index >>> 5;
  const before = linearized[word] as number;
  linearized[word] = before | (1 << (index & 31));
  const name = `${state}:${linearized.join()}`;
  if (seen.has(name)) {
    linearized[word] = before;
    return false;
  }
  seen.add(name);
  return true;
}

function lift(node: Node): void {
  detach(node);
  if (node.returns !== null) detach(node.returns);
}

function unlift(node: Node): void {
  if (node.returns !== null) attach(node.returns);
  attach(node);
}

function detach(node: Node): void {
  if (node.previous !== null) node.previous.next = node.next;
  if (node.next !== null) node.next.previous = node.previous;
}

function attach(node: Node): void {
  if (node.previous !== null) node.previous.next = node;
  if (node.next !== null) node.next.previous = node;
}

function explain(operations: readonly ClientOperation[], stuck: ClientOperation): string {
  const around = operations.filter((other) => other.completed >= stuck.invoked && other.invoked <= stuck.completed);
  const before = operations.filter((other) => other.completed < stuck.invoked).slice(-6);
  return `no order explains ${describeOperation(stuck)}; around it:\n${[...before, ...around].map((other) => `    ${describeOperation(other)}`).join('\n')}`;
}

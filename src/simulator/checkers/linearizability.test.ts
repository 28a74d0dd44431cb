import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absent, type ClientOperation, type OperationKind, type Outcome } from '../client-history.js';
import { checkKey } from './linearizability.js';

interface Given {
  readonly kind: OperationKind;
  readonly at: readonly [number, number];
  readonly write?: number;
  readonly expected?: number;
  readonly observed?: number;
  readonly outcome?: Outcome;
}

function operation(given: Given, index = 0): ClientOperation {
  const [invoked, completed] = given.at;
  return {
    kind: given.kind,
    key: 'k',
    client: 1,
    request: index + 1,
    write: given.write ?? absent,
    expected: given.expected ?? absent,
    observed: given.observed ?? absent,
    outcome: given.outcome ?? 'ok',
    invoked,
    completed,
    revision: 0,
    zxid: 0,
  };
}

function check(...given: Given[]): string | undefined {
  return checkKey(given.map(operation));
}

const forever = Number.POSITIVE_INFINITY;

describe('checkKey()', () => {
  it('accepts operations one after another', () => {
    expect(
      check(
        { kind: 'read', at: [1, 2], observed: absent },
        { kind: 'add', at: [3, 4], write: 1 },
        { kind: 'add', at: [5, 6], write: 2, outcome: 'exists' },
        { kind: 'setIf', at: [7, 8], write: 3, expected: 1 },
        { kind: 'setIf', at: [9, 10], write: 4, expected: 1, outcome: 'mismatch' },
        { kind: 'read', at: [11, 12], observed: 3 },
        { kind: 'delete', at: [13, 14] },
        { kind: 'delete', at: [15, 16], outcome: 'missing' },
      ),
    ).toBeUndefined();
  });

  it('accepts either order of what overlaps', () => {
    const writes: Given[] = [
      { kind: 'set', at: [1, 10], write: 1 },
      { kind: 'set', at: [2, 9], write: 2 },
    ];
    expect(check(...writes, { kind: 'read', at: [11, 12], observed: 1 })).toBeUndefined();
    expect(check(...writes, { kind: 'read', at: [11, 12], observed: 2 })).toBeUndefined();
  });

  it('notices a stale read', () => {
    const reason = check(
      { kind: 'set', at: [1, 2], write: 1 },
      { kind: 'set', at: [3, 4], write: 2 },
      { kind: 'read', at: [5, 6], observed: 1 },
    );
    expect(reason).toMatch(/saw write 1/);
  });

  it('notices a lost write', () => {
    expect(check({ kind: 'set', at: [1, 2], write: 1 }, { kind: 'read', at: [3, 4], observed: absent })).toBeDefined();
  });

  it('notices two reads that disagree about the order of two writes', () => {
    expect(
      check(
        { kind: 'set', at: [1, 20], write: 1 },
        { kind: 'set', at: [2, 20], write: 2 },
        { kind: 'read', at: [3, 4], observed: 1 },
        { kind: 'read', at: [5, 6], observed: 2 },
        { kind: 'read', at: [7, 8], observed: 1 },
      ),
    ).toBeDefined();
  });

  it('notices a compare-and-set that won twice', () => {
    expect(
      check(
        { kind: 'set', at: [1, 2], write: 1 },
        { kind: 'setIf', at: [3, 10], write: 2, expected: 1 },
        { kind: 'setIf', at: [4, 9], write: 3, expected: 1 },
      ),
    ).toBeDefined();
  });

  it('notices a refusal that was never true', () => {
    expect(check({ kind: 'add', at: [1, 2], write: 1, outcome: 'exists' })).toBeDefined();
    expect(
      check({ kind: 'set', at: [1, 2], write: 1 }, { kind: 'delete', at: [3, 4], outcome: 'missing' }),
    ).toBeDefined();
  });

  it('lets an operation of unknown outcome happen late, or never, but once only', () => {
    const unknown: Given = { kind: 'set', at: [1, forever], write: 1, outcome: 'unknown' };
    const other: Given = { kind: 'set', at: [2, 3], write: 2 };
    expect(check(unknown, other, { kind: 'read', at: [5, 6], observed: 2 })).toBeUndefined();
    expect(check(unknown, other, { kind: 'read', at: [5, 6], observed: 1 })).toBeUndefined();
    const again: Given[] = [
      { kind: 'read', at: [5, 6], observed: 1 },
      { kind: 'set', at: [7, 8], write: 3 },
      { kind: 'read', at: [9, 10], observed: 1 },
    ];
    expect(check(unknown, other, ...again)).toBeDefined();
  });

  it('does not let an unknown operation happen before it was asked for', () => {
    expect(
      check({ kind: 'read', at: [1, 2], observed: 1 }, { kind: 'set', at: [3, forever], write: 1, outcome: 'unknown' }),
    ).toBeDefined();
  });

  it('accepts whatever a single copy answers, however its clients overlap', () => {
    const kinds = fc.constantFrom<OperationKind>('add', 'set', 'setIf', 'delete', 'deleteIf', 'read');
    const one = fc.record({ kind: kinds, before: fc.nat(30), after: fc.nat(30), expected: fc.nat(8), lost: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 30 }), (drawn) => {
        expect(checkKey(serve(drawn))).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

interface Drawn {
  readonly kind: OperationKind;
  readonly before: number;
  readonly after: number;
  readonly expected: number;
  readonly lost: number;
}

/** What one copy of the key answers when each operation takes effect somewhere between its call and its answer. */
function serve(drawn: readonly Drawn[]): ClientOperation[] {
  let state = absent;
  return drawn.map(({ kind, before, after, expected, lost }, index) => {
    const at = (index + 1) * 10;
    const write = index + 1;
    let outcome: Outcome = 'ok';
    const observed = state;
    if (kind === 'add' && state !== absent) outcome = 'exists';
    else if ((kind === 'delete' || kind === 'deleteIf') && state === absent) outcome = 'missing';
    else if ((kind === 'setIf' || kind === 'deleteIf') && state !== expected) outcome = 'mismatch';
    else if (kind === 'delete' || kind === 'deleteIf') state = absent;
    else if (kind !== 'read') state = write;
    const unknown = lost === 0 && kind !== 'read';
    return operation(
      {
        kind,
        at: [at - before - 0.5, unknown ? forever : at + after + 0.25],
        write: kind === 'add' || kind === 'set' || kind === 'setIf' ? write : absent,
        expected,
        observed,
        outcome: unknown ? 'unknown' : outcome,
      },
      index,
    );
  });
}

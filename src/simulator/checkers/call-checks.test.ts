// The checkers of transactions and leases, each shown a violation made by hand.

import { describe, expect, it } from 'vitest';
import { at, commit, invariants, newView } from '../../../test/support/ensemble-by-hand.js';
import type { ClientId, Revision, Zxid } from '../../shared/ids.js';
import type { Command, CommandOutput, CommandResult } from '../../tree/command.js';
import { type Operation, spaces } from '../../tree/delta.js';
import { encodeLeaseRecord, leasedKey, leaseKey } from '../../tree/lease-records.js';
import type { TransactionOperation } from '../../tree/transaction.js';
import { encodeBatch } from '../../wire/batch-codec.js';
import { bytesOf } from '../byte-text.js';
import { type ClientCall, ClientHistory } from '../client-history.js';
import { checkCalls } from './call-checks.js';
import { Deliveries } from './deliveries.js';
import type { EnsembleView } from './ensemble-view.js';

/** Committed entries made by hand; each takes the next zxid, and a revision if it changes keys. */
class Made {
  readonly view: EnsembleView = newView().view;
  readonly history = new ClientHistory();
  private counter = 0;
  private revision = 1;

  /** As request `request` of client 7, or the lessor's (0). */
  entry(request: number, ...operations: Operation[]): Zxid {
    this.counter += 1;
    const zxid = at(1, this.counter);
    if (operations.some((operation) => 'space' in operation && operation.space === spaces.user)) this.revision += 1;
    const remember: Operation = { type: 'remember', client: 7 as ClientId, request, acknowledgedBelow: 1, code: 'OK' };
    const all = request === 0 ? operations : [...operations, remember];
    const revision = this.revision as Revision;
    commit(this.view, { first: zxid, last: zxid, body: encodeBatch(zxid, [{ zxid, revision, operations: all }]) });
    this.view.appended.set(zxid, { ms: this.counter * 1000, moment: 0 });
    return zxid;
  }

  put(key: string, lease = 0n): Operation[] {
    const createRevision = (this.revision + 1) as Revision;
    const put: Operation = {
      type: 'put',
      space: spaces.user,
      key: bytesOf(key),
      value: bytesOf('w1'),
      createRevision,
      version: 1,
      lease,
    };
    return lease === 0n
      ? [put]
      : [put, { ...put, space: spaces.leaseKeys, key: leasedKey(lease, bytesOf(key)), lease: 0n }];
  }

  told(request: number, command: Command, zxid: Zxid, told: Partial<CommandResult> = {}): ClientCall {
    const call = this.history.call(command, 7, request);
    const revision = this.view.ledger.revisionAt(zxid);
    this.history.answered(call, { code: 'OK', message: '', revision, zxid, ...told });
    return call;
  }

  verdict(): string[] {
    checkCalls(this.view, this.history);
    return invariants(this.view);
  }
}

const grant = (id: bigint, grantedSeconds = 4): Operation => ({
  type: 'put',
  space: spaces.leases,
  key: leaseKey(id),
  value: encodeLeaseRecord({ grantedSeconds, remainingSeconds: 0 }),
  createRevision: 1 as Revision,
  version: 1,
  lease: 0n,
});
const end = (id: bigint): Operation => ({ type: 'delete', space: spaces.leases, key: leaseKey(id) });
const remove = (key: string): Operation => ({ type: 'delete', space: spaces.user, key: bytesOf(key) });
const transactionPut = (key: string): TransactionOperation => ({
  type: 'put',
  key: bytesOf(key),
  value: bytesOf('w1'),
  lease: 0n,
  ignoreValue: false,
  ignoreLease: false,
  wantsPrevious: false,
});
const transact = (...keys: string[]): Command => ({
  type: 'transact',
  transaction: { compares: [], success: keys.map(transactionPut), failure: [] },
});
const done = (...outcomes: number[]): CommandOutput => ({
  type: 'transaction',
  succeeded: true,
  outcomes: outcomes.map(() => ({ type: 'put', previous: undefined })),
});
const keepAlive: Command = { type: 'leaseKeepAlive', id: 1n };
const alive = (ttlSeconds: number): CommandOutput => ({ type: 'leaseKeepAlive', id: 1n, ttlSeconds });

describe('checkCalls()', () => {
  it('accepts a transaction that did what it should, and notices one that did half of it', () => {
    const whole = new Made();
    whole.told(1, transact('a', 'b'), whole.entry(1, ...whole.put('a'), ...whole.put('b')), { output: done(0, 1) });
    expect(whole.verdict()).toEqual([]);
    const half = new Made();
    half.told(1, transact('a', 'b'), half.entry(1, ...half.put('a')), { output: done(0, 1) });
    expect(half.verdict()).toEqual(['a transaction happens whole or not at all']);
  });

  it('notices a transaction that nobody was told of and that did half', () => {
    const made = new Made();
    made.entry(1, ...made.put('a'));
    made.history.call(transact('a', 'b'), 7, 1);
    expect(made.verdict()).toEqual(['a transaction happens whole or not at all']);
  });

  it('notices an answer that does not fit, and a refusal that happened', () => {
    const made = new Made();
    made.told(1, transact('a'), made.entry(1, ...made.put('a')), { output: done(0, 1) });
    expect(made.verdict()).toEqual(['a transaction answers what it saw']);
    const refused = new Made();
    refused.told(1, transact('a'), refused.entry(1, ...refused.put('a')), { code: 'KEY_NOT_FOUND' });
    expect(refused.verdict()).toEqual(['what failed has not happened']);
  });

  it('notices a keep-alive of a lease that is not there, and one that is said not to be', () => {
    const made = new Made();
    made.told(0, keepAlive, made.entry(1, grant(2n)), { output: alive(4) });
    expect(made.verdict()).toEqual(['a lease is there when it is said to be']);
    const other = new Made();
    other.told(0, keepAlive, other.entry(1, grant(1n)), { output: alive(0) });
    expect(other.verdict()).toEqual(['a lease is there when it is said to be']);
  });

  it('notices an answer by a state that is older than one told before', () => {
    const made = new Made();
    const before = made.entry(1, grant(1n));
    made.told(2, { type: 'leaseRevoke', id: 1n }, made.entry(2, end(1n)));
    made.told(0, keepAlive, before, { output: alive(4) });
    expect(made.verdict()).toEqual(['no answer is older than one before it']);
  });

  it('accepts a lease that ends when its time is over or when a client wants it, and notices one that ends early', () => {
    for (const [entries, request, expected] of [
      [5, 0, []],
      [1, 7, []],
      [1, 0, ['a lease ends no earlier than was told']],
    ] as const) {
      const made = new Made();
      made.told(0, keepAlive, made.entry(1, grant(1n)), { output: alive(4) });
      for (let i = 0; i < entries; i++) made.entry(20 + i, ...made.put(`k${i}`));
      made.entry(request, end(1n));
      expect(made.verdict()).toEqual(expected);
    }
  });
});

describe('the ledger of leases', () => {
  const faultOf = (make: (made: Made) => void): string[] => {
    const made = new Made();
    make(made);
    const checker = new Deliveries(made.view);
    const [node] = made.view.nodes;
    if (node === undefined) return [];
    made.entry(99);
    // Delivered once more by hand: what was found until then is told with the next batch.
    const zxid = at(1, 1000);
    node.log.append({
      first: zxid,
      last: zxid,
      body: encodeBatch(zxid, [{ zxid, revision: made.view.ledger.revision, operations: [] }]),
    });
    node.log.durable = zxid;
    node.applied = zxid;
    checker.applied(node, made.view.ledger.last);
    return invariants(made.view).filter((name) => name.includes('lease'));
  };

  it('notices keys that outlive their lease, keys of others that go with it, and keys of a lease that is not there', () => {
    expect(
      faultOf(
        (made) =>
          void [made.entry(1, grant(1n)), made.entry(2, ...made.put('k', 1n)), made.entry(0, end(1n), remove('k'))],
      ),
    ).toEqual([]);
    const name = 'a lease takes its keys with it, and no others';
    expect(
      faultOf((made) => void [made.entry(1, grant(1n)), made.entry(2, ...made.put('k', 1n)), made.entry(0, end(1n))]),
    ).toEqual([name]);
    expect(
      faultOf(
        (made) => void [made.entry(1, grant(1n)), made.entry(2, ...made.put('k')), made.entry(0, end(1n), remove('k'))],
      ),
    ).toEqual([name]);
    expect(faultOf((made) => void made.entry(2, ...made.put('k', 1n)))).toEqual([name]);
  });
});

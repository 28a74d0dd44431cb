// The checkers of what clients see, each shown a violation made by hand.

import { describe, expect, it } from 'vitest';
import { at, commit, invariants, newView, put } from '../../../test/support/ensemble-by-hand.js';
import type { Revision, Zxid } from '../../shared/ids.js';
import { bytesOf } from '../byte-text.js';
import { ClientHistory, type ClientOperation } from '../client-history.js';
import type { SimulatedWatcher } from '../simulated-watcher.js';
import { checkClients, checkRealTime } from './client-checks.js';
import type { EnsembleView } from './ensemble-view.js';
import { readAgrees } from './tree-content.js';
import { checkWatch } from './watch-order.js';

describe('checkClients()', () => {
  function history(view: EnsembleView): { history: ClientHistory; set: (request: number) => ClientOperation } {
    commit(view, put(at(1, 1), 2, 'a', 1), put(at(1, 2), 3, 'b', 2));
    const made = new ClientHistory();
    const set = (request: number): ClientOperation =>
      made.invoke({ kind: 'set', key: 'k', client: 7, request, expected: 0 });
    return { history: made, set };
  }

  function answer(made: ClientHistory, operation: ClientOperation, revision: number, zxid: Zxid): void {
    operation.revision = revision as Revision;
    operation.zxid = zxid;
    made.complete(operation, 'ok');
  }

  it('accepts answers that name their commits', () => {
    const { view } = newView();
    const { history: made, set } = history(view);
    answer(made, set(1), 2, at(1, 1));
    answer(made, set(2), 3, at(1, 2));
    checkClients(view, made);
    expect(invariants(view)).toEqual([]);
  });

  it('notices a lost write, a wrong revision and a refusal that happened', () => {
    const { view } = newView();
    const { history: made, set } = history(view);
    answer(made, set(1), 2, at(1, 1));
    answer(made, set(9), 8, at(1, 8));
    made.complete(set(2), 'refused');
    checkClients(view, made);
    expect(invariants(view)).toEqual(['no acknowledged write is lost', 'what failed has not happened']);
    const other = newView();
    const second = history(other.view);
    answer(second.history, second.set(1), 3, at(1, 1));
    checkClients(other.view, second.history);
    expect(invariants(other.view)).toEqual(['an answer names its own commit']);
  });

  it('notices an answer that is older than one given before it was asked for', () => {
    const { view } = newView();
    const { history: made, set } = history(view);
    answer(made, set(1), 3, at(1, 2));
    answer(made, set(2), 2, at(1, 1));
    checkRealTime(view, made.operations);
    expect(invariants(view)).toEqual(['revisions respect real time']);
  });
});

describe('readAgrees()', () => {
  it('tells how a record differs from the committed one', () => {
    const { view } = newView();
    commit(view, put(at(1, 1), 2, 'a'), put(at(1, 2), 3, 'b'));
    const record = {
      key: bytesOf('k'),
      value: bytesOf('a'),
      createRevision: 2 as Revision,
      modRevision: 2 as Revision,
      version: 1,
      lease: 0n,
    };
    expect(readAgrees(view.ledger, 'k', 2 as Revision, record)).toBeUndefined();
    expect(readAgrees(view.ledger, 'k', 1 as Revision, undefined)).toBeUndefined();
    expect(readAgrees(view.ledger, 'k', 3 as Revision, record)).toMatch(/revision 2, expected 3/);
    expect(readAgrees(view.ledger, 'k', 2 as Revision, undefined)).toMatch(/absent/);
    expect(readAgrees(view.ledger, 'k', 2 as Revision, { ...record, value: bytesOf('x') })).toMatch(/another value/);
  });
});

describe('checkWatch()', () => {
  function watched(...revisions: number[]): SimulatedWatcher {
    const events = revisions.map((revision) => ({ revision: revision as Revision, key: bytesOf('k'), deleted: false }));
    return {
      request: { from: bytesOf('k'), to: undefined, single: true },
      position: 4 as Revision,
      stretches: [{ from: 2 as Revision, events }],
    } as unknown as SimulatedWatcher;
  }

  it('notices lost, repeated and reordered events', () => {
    const { view } = newView();
    commit(view, put(at(1, 1), 2), put(at(1, 2), 3));
    checkWatch(view, watched(2, 3));
    expect(invariants(view)).toEqual([]);
    for (const wrong of [watched(3), watched(2, 2, 3), watched(3, 2), watched(2)]) checkWatch(view, wrong);
    expect(view.violations).toHaveLength(4);
  });
});

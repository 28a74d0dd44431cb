// What clients were told, against what was committed: acknowledged writes are there once and at their revision, refused
// ones are not, revisions respect real time across all keys, and every key's operations are linearizable.

import type { Zxid } from '../../shared/ids.js';
import { writeOf } from '../byte-text.js';
import type { ClientCall, ClientHistory, ClientOperation } from '../client-history.js';
import { absent, describeOperation } from '../client-history.js';
import type { EnsembleView } from './ensemble-view.js';
import { checkKey } from './linearizability.js';

/** Of one key, before its search is given up, which counts as a violation: memory has an end. */
const configurationsMax = 500_000;

/** Runs at the end of a run, when the ledger is complete. */
export function checkClients(view: EnsembleView, history: ClientHistory): void {
  for (const operation of history.operations) checkOutcome(view, operation);
  checkRealTime(view, history.operations);
  const possible = [
    ...history.operations.filter((operation) => mayHaveHappened(view, operation)),
    ...changesByOthers(view, history),
  ];
  for (const [key, operations] of byKey(possible)) {
    const reason = checkKey(operations, absent, configurationsMax);
    if (reason !== undefined) view.violate('linearizable', `key ${JSON.stringify(key)}: ${reason}`);
  }
}

/**
 * A write whose outcome no client knows, and that is not in the complete ledger, has not happened. Left to the search it
 * might have at any moment, and a few dozen of those are more orders than can be tried.
 */
function mayHaveHappened(view: EnsembleView, { kind, outcome, client, request }: ClientOperation): boolean {
  return kind === 'read' || outcome !== 'unknown' || view.ledger.requests.has(`${client}:${request}`);
}

/** Every key that a transaction or the end of a lease changed, as a write or deletion that happened meanwhile. */
function changesByOthers(view: EnsembleView, { calls }: ClientHistory): ClientOperation[] {
  const { ledger } = view;
  const requested = new Set([...ledger.requests.values()].map(({ zxid }) => zxid));
  const callers = new Map<Zxid | 0, ClientCall>();
  for (const call of calls) callers.set(ledger.requests.get(`${call.client}:${call.request}`)?.zxid ?? 0, call);
  const others: ClientOperation[] = [];
  const restored = ledger.changes.filter(({ zxid }) => zxid <= ledger.begin).length;
  for (const [index, { key, zxid, revision, version }] of ledger.changes.entries()) {
    // What was restored happened before everything else, one after the other.
    const past = index < restored ? index - restored : undefined;
    const caller = callers.get(zxid);
    if (caller === undefined && requested.has(zxid)) continue;
    const batch = ledger.batchEndOf(zxid) ?? zxid;
    others.push({
      kind: version.value === undefined ? 'delete' : 'set',
      key,
      client: caller?.client ?? 0,
      request: caller?.request ?? 0,
      write: version.value === undefined ? absent : writeOf(version.value),
      expected: absent,
      invoked: past ?? caller?.invoked ?? (view.appended.get(batch)?.moment ?? 0) + 0.25,
      completed: past === undefined ? (caller?.completed ?? (view.committed.get(batch) ?? 0) + 0.75) : past + 0.5,
      outcome: 'ok',
      observed: absent,
      revision,
      zxid,
    });
  }
  return others;
}

function checkOutcome(view: EnsembleView, operation: ClientOperation): void {
  if (operation.kind === 'read') return;
  const committed = view.ledger.requests.get(`${operation.client}:${operation.request}`);
  switch (operation.outcome) {
    case 'ok':
      if (committed === undefined) view.violate('no acknowledged write is lost', describeOperation(operation));
      else if (committed.revision !== operation.revision || committed.zxid !== operation.zxid) {
        view.violate(
          'an answer names its own commit',
          `${describeOperation(operation)}; committed at revision ${committed.revision}`,
        );
      }
      return;
    case 'exists':
    case 'missing':
    case 'mismatch':
    case 'refused':
      if (committed !== undefined) {
        view.violate(
          'what failed has not happened',
          `${describeOperation(operation)}; committed at revision ${committed.revision}`,
        );
      }
      return;
    case 'unknown':
      return;
  }
}

/** Across keys: whoever asks after an answer sees at least that answer's revision; a write that succeeds makes a later one. */
export function checkRealTime(
  verdict: { violate(invariant: 'revisions respect real time', detail: string): void },
  operations: readonly ClientOperation[],
): void {
  const answered = operations.filter((operation) => operation.revision !== 0);
  const byCompletion = [...answered].sort((a, b) => a.completed - b.completed);
  let index = 0;
  let newest: ClientOperation | undefined;
  for (const operation of [...answered].sort((a, b) => a.invoked - b.invoked)) {
    for (
      let done = byCompletion[index];
      done !== undefined && done.completed < operation.invoked;
      done = byCompletion[index]
    ) {
      if (newest === undefined || done.revision > newest.revision) newest = done;
      index += 1;
    }
    if (newest === undefined) continue;
    const writes = operation.outcome === 'ok' && operation.kind !== 'read';
    if (operation.revision > newest.revision || (!writes && operation.revision === newest.revision)) continue;
    verdict.violate(
      'revisions respect real time',
      `${describeOperation(operation)} was invoked after ${describeOperation(newest)} had been answered`,
    );
  }
}

function byKey(operations: readonly ClientOperation[]): Map<string, ClientOperation[]> {
  const keys = new Map<string, ClientOperation[]>();
  for (const operation of operations) {
    const list = keys.get(operation.key);
    if (list === undefined) keys.set(operation.key, [operation]);
    else list.push(operation);
  }
  return keys;
}

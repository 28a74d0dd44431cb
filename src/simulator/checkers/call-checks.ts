// What clients were told of transactions and leases, against what was committed: a transaction does all that it should
// at one revision and answers what it saw, a lease is there when it is said to be and ends no earlier than it was said.

import type { Zxid } from '../../shared/ids.js';
import { keyText } from '../byte-text.js';
import { type ClientCall, type ClientHistory, describeCall } from '../client-history.js';
import type { LeaseEnd } from '../ledger.js';
import { describeChanges, describeOutcome, modelTransaction } from '../transaction-model.js';
import type { EnsembleView } from './ensemble-view.js';

/** No clock of a run gains more than a twentieth. */
const clockRateMax = 1.05;
/** What a jump of a clock may take from a lease; see stepMsMax of src/ensemble/lessor.ts. */
const jumpMs = 250;

/** Runs at the end of a run, when the ledger is complete. */
export function checkCalls(view: EnsembleView, history: ClientHistory): void {
  for (const call of history.calls) {
    if (call.command.type === 'transact') checkTransaction(view, call);
    else if (call.result !== undefined) checkLease(view, call);
  }
  checkOrder(view, history);
  checkPromises(view, history.calls);
}

function committedOf(view: EnsembleView, { client, request }: ClientCall): Zxid | undefined {
  return view.ledger.requests.get(`${client}:${request}`)?.zxid;
}

function checkTransaction(view: EnsembleView, call: ClientCall): void {
  const { ledger } = view;
  const { command, result } = call;
  if (command.type !== 'transact') return;
  const committed = committedOf(view, call);
  if (result !== undefined && result.code !== 'OK' && committed !== undefined) {
    view.violate('what failed has not happened', describeCall(call));
    return;
  }
  if (committed === undefined && result === undefined) return;
  const judged = committed ?? (result?.zxid as Zxid);
  // Without an effect it was judged by the state after `zxid`; otherwise it is that entry.
  const changed = committed === undefined ? '' : describeChanges(ledger, judged);
  const before = committed === undefined ? judged : ((judged - 1) as Zxid);
  const model = modelTransaction(command.transaction, ledger, before, ledger.revisionAt(before) + 1);
  if (model.code !== 'OK') {
    if (result === undefined || result.code !== 'OK') return;
    view.violate('a transaction answers what it saw', `${describeCall(call)}; expected ${model.code}`);
    return;
  }
  if (result !== undefined && result.code !== 'OK') {
    view.violate('a transaction answers what it saw', `${describeCall(call)}; expected OK`);
    return;
  }
  if (changed !== model.changes) {
    view.violate(
      'a transaction happens whole or not at all',
      `${describeCall(call)} did "${changed}", expected "${model.changes}"`,
    );
  }
  if (result?.output?.type !== 'transaction') return;
  const told = describeOutcome(result.output);
  if (told !== model.outcome)
    view.violate(
      'a transaction answers what it saw',
      `${describeCall(call)} was told "${told}", expected "${model.outcome}"`,
    );
}

function checkLease(view: EnsembleView, call: ClientCall): void {
  const { ledger } = view;
  const { result, command } = call;
  if (result === undefined) return;
  const wrong = (expected: string): void =>
    view.violate('a lease is there when it is said to be', `${describeCall(call)}: ${expected}`);
  const { output, code, zxid } = result;
  const committed = committedOf(view, call);
  switch (command.type) {
    case 'leaseGrant': {
      if (code !== 'OK') {
        if (committed !== undefined) view.violate('what failed has not happened', describeCall(call));
        if (ledger.leaseAt(command.id, zxid) === undefined) wrong('there is none');
        return;
      }
      if (committed === undefined) view.violate('no acknowledged write is lost', describeCall(call));
      if (output?.type !== 'leaseGrant') return;
      if (ledger.leaseAt(output.id, zxid)?.grantedSeconds !== output.ttlSeconds) wrong('it was not granted so');
      if (output.ttlSeconds < command.ttlSeconds) wrong('it was granted for less than was asked for');
      return;
    }
    case 'leaseRevoke': {
      if (code === 'OK' && committed === undefined) view.violate('no acknowledged write is lost', describeCall(call));
      if (code !== 'OK' && committed !== undefined) view.violate('what failed has not happened', describeCall(call));
      const at = committed ?? zxid;
      if (ledger.leaseAt(command.id, at) !== undefined) wrong('the lease is still there');
      return;
    }
    case 'leaseKeepAlive':
      if (output?.type !== 'leaseKeepAlive') wrong('the answer tells no time');
      else if ((ledger.leaseAt(command.id, zxid)?.grantedSeconds ?? 0) !== output.ttlSeconds)
        wrong(`told ${output.ttlSeconds} s`);
      return;
    case 'leaseTimeToLive': {
      if (output?.type !== 'leaseTimeToLive') {
        wrong('the answer tells no time');
        return;
      }
      const lease = ledger.leaseAt(command.id, zxid);
      if ((lease?.grantedSeconds ?? 0) !== output.grantedSeconds || (lease === undefined) !== output.ttlSeconds < 0)
        wrong(`told ${output.ttlSeconds} of ${output.grantedSeconds} s`);
      const keys = command.wantsKeys ? ledger.leasedKeysAt(command.id, zxid) : [];
      if (output.keys.map(keyText).join() !== keys.join()) wrong(`told other keys than ${keys.join()}`);
      return;
    }
    default:
      return;
  }
}

/** Whoever asks after an answer, anybody's, is judged by a state that is not older. */
function checkOrder(view: EnsembleView, history: ClientHistory): void {
  const told: { readonly invoked: number; readonly completed: number; readonly zxid: number; describe(): string }[] =
    [];
  for (const { invoked, completed, zxid, client, request } of history.operations) {
    if (zxid > 0) told.push({ invoked, completed, zxid, describe: () => `${client}.${request} at zxid ${zxid}` });
  }
  for (const call of history.calls) {
    const { invoked, completed, result } = call;
    if (result !== undefined) told.push({ invoked, completed, zxid: result.zxid, describe: () => describeCall(call) });
  }
  const byCompletion = [...told].sort((a, b) => a.completed - b.completed);
  let index = 0;
  let newest: (typeof told)[number] | undefined;
  for (const each of told.sort((a, b) => a.invoked - b.invoked)) {
    for (
      let done = byCompletion[index];
      done !== undefined && done.completed < each.invoked;
      done = byCompletion[index]
    ) {
      if (newest === undefined || done.zxid > newest.zxid) newest = done;
      index += 1;
    }
    if (newest === undefined || each.zxid >= newest.zxid) continue;
    view.violate(
      'no answer is older than one before it',
      `${each.describe()} was asked after ${newest.describe()} had been answered`,
    );
  }
}

/** No lease ended by itself before what some client was told, counted from when that client asked. */
function checkPromises(view: EnsembleView, calls: readonly ClientCall[]): void {
  const ends = new Map<bigint, LeaseEnd[]>();
  for (const end of view.ledger.leaseEnds) ends.set(end.id, [...(ends.get(end.id) ?? []), end]);
  for (const call of calls) {
    const promised = promiseOf(call);
    if (promised === undefined || call.result === undefined) continue;
    const { zxid } = call.result;
    const end = ends.get(promised.id)?.find((each) => each.zxid > zxid);
    if (end === undefined || !end.expired) continue;
    const endedMs = view.appended.get(view.ledger.batchEndOf(end.zxid) as Zxid)?.ms ?? Number.POSITIVE_INFINITY;
    const jumps = view.clockJumps.filter((atMs) => atMs >= call.sentMs && atMs <= endedMs).length;
    const earliestMs = call.sentMs + (promised.seconds * 1000) / clockRateMax - jumps * jumpMs;
    if (endedMs >= earliestMs) continue;
    view.violate(
      'a lease ends no earlier than was told',
      `${describeCall(call)} asked at ${call.sentMs} was told ${promised.seconds} s; the lease was ended at ${endedMs}`,
    );
  }
}

function promiseOf({ result }: ClientCall): { readonly id: bigint; readonly seconds: number } | undefined {
  const output = result?.output;
  if (output === undefined || output.type === 'transaction' || output.ttlSeconds <= 0) return undefined;
  return { id: output.id, seconds: output.ttlSeconds };
}

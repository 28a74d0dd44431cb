// What transactions and selections mean, as plainly as it can be said: every state there ever was in a map by revision.
// Judges the real tree in tests; written from etcd's documentation, with none of the tree's code.

import type {
  Compare,
  KeySelection,
  RangeSelection,
  Transaction,
  TransactionOperation,
} from '../../src/tree/transaction.js';

export interface ModelRecord {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

type State = ReadonlyMap<string, ModelRecord>;

export type ModelOutcome =
  | { readonly type: 'put'; readonly previous: string | undefined }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous: readonly string[] }
  | { readonly type: 'range'; readonly records: readonly string[]; readonly count: number; readonly more: boolean }
  | { readonly type: 'transaction'; readonly succeeded: boolean; readonly outcomes: readonly ModelOutcome[] };

export type ModelResult = { readonly code: string } | { readonly revision: number; readonly outcome: ModelOutcome };

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export function shownRecord({ key, value, create, mod, version, lease }: ModelRecord): string {
  return `${key}=${value} ${create} ${mod} ${version} ${lease}`;
}

type Plan = { readonly succeeded: boolean; readonly operations: readonly (TransactionOperation | Plan)[] };

export class TransactionModel {
  revision = 1;
  compacted = 0;
  leases: ReadonlySet<bigint> = new Set();
  private states: ReadonlyMap<number, State> = new Map([[1, new Map()]]);

  clone(): TransactionModel {
    const copy = new TransactionModel();
    copy.revision = this.revision;
    copy.compacted = this.compacted;
    copy.leases = this.leases;
    copy.states = this.states;
    return copy;
  }

  get now(): State {
    return this.at(this.revision);
  }

  at(revision: number): State {
    return this.states.get(revision) ?? new Map();
  }

  records(state: State): string[] {
    return sorted(state).map(shownRecord);
  }

  transact(transaction: Transaction): ModelResult {
    const before = this.now;
    const plan = this.plan(transaction, before);
    const code = this.refusal(plan, before, 'put') ?? this.refusal(plan, before, 'range');
    if (code !== undefined) return { code };
    const run = { state: new Map(before), changed: false };
    const outcome = this.run(plan, run);
    if (run.changed) {
      this.revision += 1;
      this.states = new Map([...this.states, [this.revision, run.state]]);
    }
    return { revision: this.revision, outcome };
  }

  select(selection: RangeSelection, state: State): Extract<ModelOutcome, { type: 'range' }> {
    const all = within(selection, state);
    if (selection.countOnly) return { type: 'range', records: [], count: all.length, more: false };
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = selection;
    let records = all
      .filter(({ mod }) => minModRevision === undefined || mod >= minModRevision)
      .filter(({ mod }) => maxModRevision === undefined || mod <= maxModRevision)
      .filter(({ create }) => minCreateRevision === undefined || create >= minCreateRevision)
      .filter(({ create }) => maxCreateRevision === undefined || create <= maxCreateRevision);
    const target = selection.sortTarget;
    const order = (a: ModelRecord, b: ModelRecord): number =>
      a[target] < b[target] ? -1 : a[target] > b[target] ? 1 : 0;
    records = records.sort((a, b) => (selection.descending ? order(b, a) : order(a, b)));
    const more = selection.limit > 0 && records.length > selection.limit;
    if (more) records = records.slice(0, selection.limit);
    const shown = records.map((record) => shownRecord(selection.keysOnly ? { ...record, value: '' } : record));
    return { type: 'range', records: shown, count: all.length, more };
  }

  private plan(transaction: Transaction, before: State): Plan {
    const succeeded = transaction.compares.every((compare) => holds(compare, before));
    const arm = succeeded ? transaction.success : transaction.failure;
    const operations = arm.map((each) => (each.type === 'transaction' ? this.plan(each.transaction, before) : each));
    return { succeeded, operations };
  }

  private refusal(plan: Plan, before: State, kind: 'put' | 'range'): string | undefined {
    for (const each of plan.operations) {
      let code: string | undefined;
      if ('operations' in each) code = this.refusal(each, before, kind);
      else if (each.type === 'put' && kind === 'put') {
        if ((each.ignoreValue || each.ignoreLease) && !before.has(text(each.key))) code = 'KEY_NOT_FOUND';
        else if (each.lease !== 0n && !this.leases.has(each.lease)) code = 'LEASE_NOT_FOUND';
      } else if (each.type === 'range' && kind === 'range' && each.selection.at !== undefined) {
        if (each.selection.at > this.revision) code = 'FUTURE_REVISION';
        else if (each.selection.at < this.compacted) code = 'COMPACTED';
      }
      if (code !== undefined) return code;
    }
    return undefined;
  }

  private run(plan: Plan, run: { readonly state: Map<string, ModelRecord>; changed: boolean }): ModelOutcome {
    const outcomes = plan.operations.map((each) =>
      'operations' in each ? this.run(each, run) : this.runOne(each, run),
    );
    return { type: 'transaction', succeeded: plan.succeeded, outcomes };
  }

  private runOne(
    each: TransactionOperation,
    run: { readonly state: Map<string, ModelRecord>; changed: boolean },
  ): ModelOutcome {
    switch (each.type) {
      case 'put': {
        const key = text(each.key);
        const old = run.state.get(key);
        const mod = this.revision + 1;
        run.changed = true;
        run.state.set(key, {
          key,
          value: each.ignoreValue ? (old?.value ?? '') : text(each.value),
          create: old?.create ?? mod,
          mod,
          version: (old?.version ?? 0) + 1,
          lease: each.ignoreLease ? (old?.lease ?? 0n) : each.lease,
        });
        return { type: 'put', previous: each.wantsPrevious && old !== undefined ? shownRecord(old) : undefined };
      }
      case 'delete': {
        const gone = within(each.keys, run.state);
        for (const { key } of gone) run.state.delete(key);
        if (gone.length > 0) run.changed = true;
        return { type: 'delete', deleted: gone.length, previous: each.wantsPrevious ? gone.map(shownRecord) : [] };
      }
      case 'range': {
        const { at } = each.selection;
        return this.select(each.selection, at === undefined ? run.state : this.at(at));
      }
      case 'transaction':
        throw new Error('A plan has no transactions');
    }
  }
}

function sorted(state: State): ModelRecord[] {
  return [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function within({ from, to, single }: KeySelection, state: State): ModelRecord[] {
  const first = text(from);
  return sorted(state).filter(({ key }) =>
    single ? key === first : key >= first && (to === undefined || key < text(to)),
  );
}

function holds(compare: Compare, state: State): boolean {
  const found = within(compare.keys, state);
  if (found.length > 0) return found.every((record) => holdsFor(compare, record));
  if (compare.target === 'value') return false;
  return holdsFor(compare, { key: '', value: '', create: 0, mod: 0, version: 0, lease: 0n });
}

function holdsFor(compare: Compare, record: ModelRecord): boolean {
  const actual = record[compare.target];
  const operand = compare.target === 'value' ? text(compare.operand) : compare.operand;
  switch (compare.relation) {
    case 'equal':
      return actual === operand;
    case 'notEqual':
      return actual !== operand;
    case 'greater':
      return actual > operand;
    case 'less':
      return actual < operand;
  }
}

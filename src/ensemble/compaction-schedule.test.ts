import { describe, expect, it } from 'vitest';
import type { AutoCompactionConfig } from '../config/node-config.js';
import type { Revision } from '../shared/ids.js';
import { CompactionSchedule } from './compaction-schedule.js';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const lookMs = 500;

/** One member on virtual time. What it orders is done at once, unless `taken` is false. */
class Member {
  readonly schedule: CompactionSchedule;
  /** What was ordered: when, up to where, and how old that revision was. */
  readonly orders: { readonly atMs: number; readonly revision: number; readonly ageMs: number }[] = [];
  nowMs: number;
  revision = 1;
  compactedRevision = 0;
  leads = true;
  taken = true;
  /** When each revision became the newest one. */
  private readonly bornMs = new Map<number, number>();

  constructor(policy: AutoCompactionConfig, nowMs = 7_777) {
    this.schedule = new CompactionSchedule(policy);
    this.nowMs = nowMs;
    this.bornMs.set(1, nowMs);
  }

  look(): void {
    const { nowMs, leads } = this;
    const target = this.schedule.look({
      nowMs,
      leads,
      revision: this.revision as Revision,
      compactedRevision: this.compactedRevision as Revision,
    });
    if (target === null) return;
    // A revision is superseded when the next one is born.
    this.orders.push({ atMs: nowMs, revision: target, ageMs: nowMs - (this.bornMs.get(target + 1) ?? nowMs) });
    if (this.taken) this.compactedRevision = target;
    this.schedule.ended(this.taken);
  }

  /** A revision each `writeMs`. */
  pass(durationMs: number, writeMs = minuteMs): void {
    const endMs = this.nowMs + durationMs;
    let writeAtMs = this.nowMs + writeMs;
    for (; this.nowMs < endMs; this.nowMs += lookMs) {
      if (this.nowMs >= writeAtMs) {
        this.revision += 1;
        this.bornMs.set(this.revision, this.nowMs);
        writeAtMs += writeMs;
      }
      this.look();
    }
  }

  get orderedAt(): number[] {
    return this.orders.map(({ atMs }) => Math.round((atMs - 7_777) / minuteMs));
  }
}

const hourly: AutoCompactionConfig = { type: 'period', periodMs: hourMs };

describe('CompactionSchedule by period', () => {
  it('compacts nothing for a whole period, then once in a period, and keeps all that is younger', () => {
    const member = new Member(hourly);
    member.pass(4.5 * hourMs);
    expect(member.orderedAt).toEqual([60, 120, 180, 240]);
    for (const { ageMs } of member.orders) {
      expect(ageMs).toBeGreaterThanOrEqual(hourMs - minuteMs);
      expect(ageMs).toBeLessThanOrEqual(hourMs + hourMs / 10);
    }
  });

  it('compacts every hour when the period is longer, and once in a period when it is shorter', () => {
    const daily = new Member({ type: 'period', periodMs: 24 * hourMs });
    daily.pass(27.5 * hourMs);
    expect(daily.orderedAt).toEqual([24 * 60, 25 * 60, 26 * 60, 27 * 60]);
    const short = new Member({ type: 'period', periodMs: 10 * minuteMs });
    short.pass(35 * minuteMs);
    expect(short.orderedAt).toEqual([10, 20, 30]);
  });

  it('never compacts what is younger than the period, whenever leadership comes and goes', () => {
    const member = new Member(hourly);
    member.leads = false;
    member.pass(90 * minuteMs);
    expect(member.orders).toEqual([]);
    // It followed for longer than a period: what was old then is old for a leader, too.
    member.leads = true;
    member.pass(minuteMs);
    expect(member.orderedAt).toEqual([90]);
    expect(member.orders[0]?.ageMs).toBeGreaterThanOrEqual(hourMs - minuteMs);
    for (let turn = 0; turn < 20; turn++) {
      member.leads = turn % 2 === 0;
      member.pass(17 * minuteMs);
    }
    expect(member.orders.length).toBeGreaterThan(2);
    for (const { ageMs } of member.orders) expect(ageMs).toBeGreaterThanOrEqual(hourMs - minuteMs);
  });

  it('counts from its start: one that was restarted has observed nothing', () => {
    const restarted = new Member(hourly);
    restarted.revision = 1_000;
    restarted.pass(59 * minuteMs);
    expect(restarted.orders).toEqual([]);
    restarted.pass(2 * minuteMs);
    expect(restarted.orders.map(({ revision }) => revision)).toEqual([1_000]);
  });

  it('does not believe a clock that jumps', () => {
    const member = new Member(hourly);
    member.pass(10 * minuteMs);
    member.nowMs += 100 * hourMs;
    member.pass(49 * minuteMs);
    member.nowMs -= 200 * hourMs;
    member.pass(20_000);
    expect(member.orders).toEqual([]);
    member.pass(2 * minuteMs);
    expect(member.orders).toHaveLength(1);
  });

  it('orders nothing where nothing is to be gained, and nothing twice', () => {
    const member = new Member(hourly);
    member.pass(3 * hourMs, 10 * hourMs);
    expect(member.orders).toEqual([{ atMs: 7_777 + hourMs, revision: 1, ageMs: 0 }]);
    const waiting = new Member(hourly);
    waiting.pass(hourMs - lookMs);
    const outlook = { nowMs: waiting.nowMs, revision: 60, compactedRevision: 0, leads: true };
    const look = (nowMs: number): number | null =>
      waiting.schedule.look({ ...outlook, nowMs, revision: 60 as Revision, compactedRevision: 0 as Revision });
    const looks = Array.from({ length: 100 }, (_, index) => look(waiting.nowMs + index * lookMs));
    expect(looks.filter((target) => target !== null)).toHaveLength(1);
  });

  it('tries again after a tenth of the period when it failed', () => {
    const member = new Member(hourly);
    member.taken = false;
    member.pass(90 * minuteMs);
    expect(member.orderedAt).toEqual([60, 66, 72, 78, 84]);
    member.taken = true;
    member.pass(70 * minuteMs);
    expect(member.orderedAt.slice(5)).toEqual([90, 150]);
  });

  it('keeps few observations, however long the period', () => {
    const periodMs = 400 * hourMs;
    const schedule = new CompactionSchedule({ type: 'period', periodMs });
    let nowMs = 0;
    let first: number | null = null;
    for (let looked = 0; first === null; looked++, nowMs += 1_000) {
      if (nowMs > periodMs + minuteMs) break;
      first = schedule.look({
        nowMs,
        revision: (looked + 1) as Revision,
        compactedRevision: 0 as Revision,
        leads: true,
      });
    }
    expect(first).toBe(1);
    expect((schedule as unknown as { samples: unknown[] }).samples.length).toBeLessThanOrEqual(1_002);
  });
});

describe('CompactionSchedule by revisions', () => {
  it('keeps so many revisions, and looks every five minutes', () => {
    const member = new Member({ type: 'revisions', revisionsKept: 100 });
    member.pass(16 * minuteMs, 1_000);
    expect(member.orderedAt).toEqual([5, 10, 15]);
    for (const { atMs, revision } of member.orders) expect(revision).toBe(Math.round((atMs - 7_777) / 1_000) + 1 - 100);
  });

  it('compacts nothing while there are fewer, and nothing while another one leads', () => {
    const member = new Member({ type: 'revisions', revisionsKept: 100 });
    member.pass(10 * minuteMs, 10_000);
    expect(member.orders).toEqual([]);
    member.leads = false;
    member.pass(60 * minuteMs, 10_000);
    expect(member.orders).toEqual([]);
  });
});

import { expect, test } from 'vitest';
import { toRevision, toServerId, toZxid } from '../shared/ids.js';
import { type CheckpointReport, CheckpointReports } from './checkpoint-reports.js';

const report = (id: number, zxid: number): CheckpointReport => ({
  id: toServerId(id),
  zxid: toZxid(zxid),
  revision: toRevision(1),
  digest: `d${zxid}`,
});

test('CheckpointReports call back once every member has reported on that checkpoint', () => {
  const reports = new CheckpointReports(3);
  const seen: number[][] = [];
  reports.add(report(1, 10));
  reports.wait(toZxid(10), 1_000, (all) => seen.push(all.map(({ id }) => id)));
  reports.add(report(2, 10));
  reports.add(report(2, 10));
  reports.add(report(3, 11));
  expect(seen).toEqual([]);
  reports.add(report(3, 10));
  expect(seen).toEqual([[1, 2, 3]]);
});

test('CheckpointReports give what there is at the deadline', () => {
  const reports = new CheckpointReports(3);
  const seen: number[][] = [];
  reports.wait(toZxid(10), 1_000, (all) => seen.push(all.map(({ id }) => id)));
  reports.add(report(2, 10));
  reports.expire(999);
  expect(seen).toEqual([]);
  reports.expire(1_000);
  expect(seen).toEqual([[2]]);
});

test('CheckpointReports forget old checkpoints', () => {
  const reports = new CheckpointReports(1);
  for (let zxid = 1; zxid <= 100; zxid++) reports.add(report(1, zxid));
  const seen: number[] = [];
  reports.wait(toZxid(1), 5, (all) => seen.push(all.length));
  reports.expire(5);
  expect(seen).toEqual([0]);
});

test('CheckpointReports know the odd one out only where a majority of all members agrees on another state', () => {
  const reports = new CheckpointReports(5);
  const at = (id: number, digest: string): void => reports.add({ ...report(id, 10), digest });
  const standings = (): string[] => [1, 2, 3].map((id) => reports.standingOf(toServerId(id), toZxid(10)));
  at(1, 'a');
  at(2, 'b');
  expect(standings()).toEqual(['disputed', 'disputed', 'agrees']);
  at(3, 'b');
  expect(standings()).toEqual(['disputed', 'disputed', 'disputed']);
  at(4, 'b');
  expect(standings()).toEqual(['odd', 'disputed', 'disputed']);
  expect(reports.standingOf(toServerId(1), toZxid(11))).toBe('agrees');
});

test('CheckpointReports know when no majority can come to agree any more', () => {
  const reports = new CheckpointReports(3);
  const at = (id: number, digest: string): void => reports.add({ ...report(id, 10), digest });
  const standing = (): string => reports.standingOf(toServerId(1), toZxid(10));
  at(1, 'a');
  at(2, 'b');
  expect(standing()).toBe('disputed');
  at(3, 'c');
  expect(standing()).toBe('undecidable');
  const two = new CheckpointReports(2);
  for (const [id, digest] of [
    [1, 'a'],
    [2, 'b'],
  ] as const)
    two.add({ ...report(id, 10), digest });
  expect(two.standingOf(toServerId(1), toZxid(10))).toBe('undecidable');
});

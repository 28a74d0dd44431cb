import { beforeEach, describe, expect, it } from 'vitest';
import { toServerId } from '../shared/ids.js';
import type { Alarm } from '../tree/alarm.js';
import type { Command } from '../tree/command.js';
import { OwnAlarms } from './own-alarms.js';

const self = toServerId(7);
const quotaBytes = 1_000;

let nowMs: number;
let usedBytes: number;
let tree: { alarms: readonly Alarm[]; overlayBytes: number };
let submitted: { readonly command: Command; readonly done: (taken: boolean) => void }[];
let alarms: OwnAlarms;

function pass(durationMs: number): void {
  for (const endMs = nowMs + durationMs; nowMs < endMs; nowMs += 50) alarms.tick(nowMs);
}

/** The leader takes what was submitted. */
function take(): void {
  for (const { command, done } of submitted.splice(0)) {
    if (command.type === 'alarm') tree.alarms = [...tree.alarms, command.alarm];
    done(true);
  }
}

describe('OwnAlarms', () => {
  beforeEach(() => {
    nowMs = 10_000;
    usedBytes = 500;
    tree = { alarms: [], overlayBytes: 0 };
    submitted = [];
    alarms = new OwnAlarms({
      self,
      tree,
      quotaBytes,
      usage: () => ({ usedBytes }),
      nowMs: () => nowMs,
      submit: (command, done) => submitted.push({ command, done }),
      warn: () => undefined,
    });
  });

  it('raises NOSPACE once when the quota is reached, and again only once it was disarmed and still is', () => {
    pass(2_000);
    expect(submitted).toEqual([]);
    usedBytes = 1_000;
    pass(2_000);
    expect(alarms.overQuota).toBe(true);
    expect(submitted.map(({ command }) => command)).toEqual([
      { type: 'alarm', active: true, alarm: { kind: 'noSpace', member: 7n } },
    ]);
    take();
    pass(5_000);
    expect(submitted).toEqual([]);
    tree.alarms = [];
    pass(100);
    expect(submitted).toHaveLength(1);
    take();
    tree.alarms = [];
    usedBytes = 900;
    pass(5_000);
    expect(alarms.overQuota).toBe(false);
    expect(submitted).toEqual([]);
  });

  it('counts what is not flushed yet, at once, and looks again after a flush', () => {
    tree.overlayBytes = 500;
    expect(alarms.overQuota).toBe(true);
    tree.overlayBytes = 0;
    usedBytes = 2_000;
    expect(alarms.overQuota).toBe(false);
    alarms.measure();
    expect(alarms.overQuota).toBe(true);
  });

  it('is not kept from raising by the alarm of another member, and tries again when nobody took it', () => {
    tree.alarms = [{ kind: 'noSpace', member: 8n }];
    usedBytes = 1_000;
    alarms.measure();
    pass(50);
    expect(submitted).toHaveLength(1);
    submitted.splice(0)[0]?.done(false);
    pass(500);
    expect(submitted).toHaveLength(0);
    pass(1_000);
    expect(submitted).toHaveLength(1);
  });

  it('raises CORRUPT once for one finding', () => {
    alarms.undecided();
    pass(50);
    expect(submitted[0]?.command).toEqual({ type: 'alarm', active: true, alarm: { kind: 'corrupt', member: 7n } });
    take();
    pass(100);
    tree.alarms = [];
    pass(5_000);
    expect(submitted).toEqual([]);
  });
});

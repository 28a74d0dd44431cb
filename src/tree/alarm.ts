// What an alarm is. What raises one, and what is refused while one is there, is in alarms.ts.

/** The numbers are on disk and on the wire: never renumber. */
export const kindNumbers = {
  /** The member's data has reached its quota. */
  noSpace: 1,
  /** The members' data differ, and none of it is known to be right. */
  corrupt: 2,
} as const;

export type AlarmKind = keyof typeof kindNumbers;

export interface Alarm {
  readonly kind: AlarmKind;
  /** 64 bits, unsigned. */
  readonly member: bigint;
}

/** Whether there is an alarm of each kind, whoever's it is. */
export type AlarmFlags = Readonly<Record<AlarmKind, boolean>>;

// One timer for many deadlines: fires at the earliest instant asked for, then waits to be armed anew.

/** Shortest time between two firings, so that crowded deadlines share one. */
const intervalMsMin = 5;

export class DueTimer {
  readonly #fire: (nowMs: number) => void;
  #handle: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(fire: (nowMs: number) => void) {
    this.#fire = fire;
  }

  /** `dueMs` in performance.now() time. */
  arm(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#handle);
    this.#dueMs = dueMs;
    this.#handle = setTimeout(this.#expired, Math.max(intervalMsMin, Math.ceil(dueMs - performance.now())));
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  readonly #expired = (): void => {
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#fire(performance.now());
  };
}

// Ends calls whose time has come, all of them with one coarse timer: a timer for each call would cost more than the call.
// Late by at most one tick of it.

export interface DueCall {
  /** By performance.now(). */
  readonly dueMs: number;
  /** Its time has come. It is not watched any more. */
  due(): void;
}

const tickMs = 20;

export class DueCalls {
  private readonly calls = new Set<DueCall>();
  private timer: NodeJS.Timeout | undefined;
  private readonly tick = (): void => {
    this.timer = undefined;
    const nowMs = performance.now();
    for (const call of this.calls) {
      if (call.dueMs > nowMs) continue;
      this.calls.delete(call);
      call.due();
    }
    if (this.calls.size > 0) this.arm();
  };

  add(call: DueCall): void {
    this.calls.add(call);
    if (this.timer === undefined) this.arm();
  }

  delete(call: DueCall): void {
    this.calls.delete(call);
  }

  private arm(): void {
    this.timer = setTimeout(this.tick, tickMs);
    // Whoever has calls has connections, too.
    this.timer.unref();
  }
}

// How often a client may take requests back (CVE-2023-44487): each was work that nobody wants any more.

/** At once, and for ever. */
const burst = 1_000;
const perSecond = 33;

export class ResetBudget {
  private left = burst;
  private atMs = 0;

  /** False: it has taken back too many. */
  take(nowMs: number): boolean {
    this.left = Math.min(burst, this.left + ((nowMs - this.atMs) * perSecond) / 1_000);
    this.atMs = nowMs;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}

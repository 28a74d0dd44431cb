// Goes round the members of a set, a few at each step, so that a set of thousands is never gone through in one turn of the
// event loop. Keeps no time: whoever steps does.

export class Rounds<T> {
  private readonly members: ReadonlySet<T>;
  private readonly stepsInRound: number;
  private rest: Iterator<T>;

  constructor(members: ReadonlySet<T>, stepsInRound: number) {
    this.members = members;
    this.stepsInRound = stepsInRound;
    this.rest = members.values();
  }

  /** Visits the next few. Members may come and go meanwhile; those that stay are visited once a round. */
  step(visit: (member: T) => void): void {
    for (let left = Math.ceil(this.members.size / this.stepsInRound); left > 0; left--) {
      const next = this.rest.next();
      if (next.done === true) {
        this.rest = this.members.values();
        return;
      }
      visit(next.value);
    }
  }
}

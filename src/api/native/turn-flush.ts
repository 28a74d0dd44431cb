// Writes the output of connections once a turn of the event loop: whatever a commit, a read point or a burst of
// requests caused to be answered leaves in one write per connection.

export interface Flushable {
  flush(): void;
}

export class TurnFlush {
  private dirty: Flushable[] = [];
  private scheduled = false;
  private readonly run = (): void => {
    this.scheduled = false;
    const { dirty } = this;
    this.dirty = [];
    for (const connection of dirty) connection.flush();
  };

  /** flush() of this one is called once at the end of the turn, for each call. */
  add(connection: Flushable): void {
    this.dirty.push(connection);
    if (this.scheduled) return;
    this.scheduled = true;
    // After everything that the sockets and the disk reported in this turn.
    setImmediate(this.run);
  }
}

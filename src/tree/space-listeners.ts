// Who is told of committed changes in the spaces that are not the users': caches of leases, access, alarms. Knows nothing
// of what the records mean; watchers of users' keys are elsewhere (watch-hub.ts).

import { type SpaceId, spaceSlots, spaces } from './delta.js';
import type { SpaceListener } from './replicated-tree.js';
import type { VersionWrite } from './store.js';

export class SpaceListeners {
  /** By space. */
  private readonly listeners = Array.from({ length: spaceSlots }, () => new Set<SpaceListener>());

  add(space: SpaceId, listener: SpaceListener): () => void {
    const listeners = this.listeners[space];
    listeners?.add(listener);
    return () => void listeners?.delete(listener);
  }

  /** The versions of one entry: by space, then key. */
  notify(versions: readonly VersionWrite[]): void {
    for (let at = 0; at < versions.length; ) {
      const { space } = versions[at] as VersionWrite;
      let end = at + 1;
      while (versions[end]?.space === space) end += 1;
      if (space !== spaces.user)
        this.tell(space, at === 0 && end === versions.length ? versions : versions.slice(at, end));
      at = end;
    }
  }

  reset(): void {
    for (const listeners of this.listeners) for (const listener of [...listeners]) listener.reset();
  }

  private tell(space: SpaceId, versions: readonly VersionWrite[]): void {
    for (const listener of this.listeners[space] ?? []) listener.changed(versions);
  }
}

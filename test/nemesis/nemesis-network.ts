// The network between the nodes of a nemesis run, as the faults see it: who hears whom, and how well. Clients reach every
// node all the time. Which implementation is used is decided at run time.

import type { NodeAddresses, NodeFile } from '../../src/cli/local-ensemble/local-node.js';

/** Where one node lives. */
export interface NodePlace {
  readonly addresses: NodeAddresses;
  /** Keys of Host beside the addresses. */
  readonly host: NodeFile;
  readonly launcher: readonly string[];
}

export interface Degradation {
  readonly lossPercent: number;
  readonly delayMs: number;
}

export interface NemesisNetwork {
  readonly kind: 'namespaces' | 'proxy';
  readonly places: readonly NodePlace[];
  /** Why packets can be neither lost nor delayed, null when they can. */
  readonly cannotDegrade: string | null;
  /** Nothing that `from` sends arrives at `to` while it is cut; neither is told. */
  cut(from: number, to: number, isCut: boolean): Promise<void>;
  /** What `from` sends to the others is lost and late; null: no longer. */
  degrade(from: number, degradation: Degradation | null): Promise<void>;
  /** Leaves nothing behind. Synchronous: also for a process that dies. */
  close(): void;
}

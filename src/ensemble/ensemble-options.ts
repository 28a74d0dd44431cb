// What a node of an ensemble is made of, and what it stands as at any time. Data only.

import type { NodeConfig } from '../config/node-config.js';
import type { Bytes } from '../shared/bytes.js';
import type { EnsembleId, Epoch, ServerId } from '../shared/ids.js';
import type { Role } from '../zab/messages.js';
import type { ElectionNetwork, EnsembleLog, NodeStorage, PeerNetwork, Scheduler } from './ports.js';

export interface EnsembleOptions {
  readonly config: NodeConfig;
  readonly scheduler: Scheduler;
  readonly electionNetwork: ElectionNetwork;
  readonly peerNetwork: PeerNetwork;
  readonly storage: NodeStorage;
  readonly log: EnsembleLog;
  /** Seeds the jitter of elections. */
  readonly seed: number;
  /** Used if this node is the first leader of a new ensemble: 32 random hexadecimal digits. */
  readonly newEnsembleId: EnsembleId;
  /** A key as a string with one character a byte; the server passes a native one. */
  readonly keyText?: (key: Bytes) => string;
  /** Safety can no longer be kept: the process must end without another word to anyone. */
  readonly onHalt: (reason: string) => void;
  /** Its role, leader or epoch is another, or it serves or does no longer; `status()` says. */
  readonly onRoleChanged?: () => void;
  /** This node's tree is not the one that a majority agrees on. It has stopped, and must be rebuilt. Default: onHalt. */
  readonly onDivergence?: (reason: string) => void;
}

export interface Standing {
  readonly role: Role;
  readonly epoch: Epoch;
  readonly leader: ServerId | null;
  readonly serving: boolean;
}

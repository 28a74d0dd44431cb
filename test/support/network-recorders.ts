// Makes the networks of several members on free ports, and handlers that write down what they are told.

import { limits } from '../../src/config/limits.js';
import type { Channel, PeerNetworkHandler } from '../../src/ensemble/ports.js';
import { groupZero, type ServerId, toServerId } from '../../src/shared/ids.js';
import type { NetworkOptions } from '../../src/transport/network-options.js';

export interface MutableMember {
  readonly id: ServerId;
  electionAddr: string;
  messageAddr: string;
}

/** Members 1..count; addresses are filled in once the networks listen. */
export function newMembers(count: number): MutableMember[] {
  return Array.from({ length: count }, (_, index) => ({
    id: toServerId(index + 1),
    electionAddr: '127.0.0.1:0',
    messageAddr: '127.0.0.1:0',
  }));
}

/** Options of one member, with the differences that a test is about. */
export function networkOptions(
  members: readonly MutableMember[],
  self: ServerId,
  different: Partial<NetworkOptions> = {},
): NetworkOptions & { readonly warnings: string[] } {
  const warnings: string[] = [];
  return {
    group: groupZero,
    self,
    members,
    membershipHash: 'same',
    ensembleName: 'test',
    listenElection: '127.0.0.1:0',
    listenMessage: '127.0.0.1:0',
    incarnation: `directory-${self}`,
    boot: 1,
    requestAddr: `client-port-of-${self}:5003`,
    limits,
    log: { info: () => undefined, warn: (text) => warnings.push(text) },
    ...different,
    warnings,
  };
}

export interface OpenedLink {
  readonly link: number;
  readonly peer: ServerId;
  readonly channel: Channel;
  readonly outgoing: boolean;
}

export class PeerRecorder implements PeerNetworkHandler {
  readonly links: OpenedLink[] = [];
  readonly failures: { peer: ServerId; channel: Channel; reason: string }[] = [];
  readonly frames: { link: number; frame: Uint8Array }[] = [];
  readonly closings: { link: number; reason: string }[] = [];
  readonly drainedLinks: number[] = [];

  opened(link: number, peer: ServerId, channel: Channel, outgoing: boolean): void {
    this.links.push({ link, peer, channel, outgoing });
  }

  failed(peer: ServerId, channel: Channel, reason: string): void {
    this.failures.push({ peer, channel, reason });
  }

  received(link: number, frame: Uint8Array): void {
    this.frames.push({ link, frame });
  }

  closed(link: number, reason: string): void {
    this.closings.push({ link, reason });
  }

  drained(link: number): void {
    this.drainedLinks.push(link);
  }

  /** The link opened last. */
  get link(): number {
    return this.links.at(-1)?.link ?? 0;
  }
}

// Election datagrams over UDP. What arrives is checked for size, authenticity, version, group, membership, source and
// freshness before anyone hears of it; anything else is counted and dropped. No datagram and no socket error ends it.

import type { KeyObject } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import type { ElectionNetwork } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import {
  type ElectionDatagram,
  type ElectionMessage,
  encodeElectionDatagram,
  readElectionDatagram,
} from '../wire/election-codec.js';
import { clusterKeyOf, equalTags, tagBytes } from './cluster-key.js';
import { DatagramFreshness } from './datagram-freshness.js';
import { datagramKeyOf, datagramTag } from './datagram-keys.js';
import { listenFailure, parseListenAddress, reasonOf } from './listen-address.js';
import { MemberAddressBook } from './member-addresses.js';
import type { NetworkOptions } from './network-options.js';
import { RateLimitedLog, warnIntervalMs } from './rate-limited-log.js';
import { type BoundAddress, RebindingSocket } from './rebinding-socket.js';
import { type ElectionCounters, newElectionCounters } from './transport-counters.js';

/** First byte of a datagram: is a tag behind the message or not. */
const plainMark = 0x7a;
const taggedMark = 0x7b;
const oneSided = 'a cluster key, or PeerTls, is set on one side only';

export class UdpElectionNetwork implements ElectionNetwork {
  readonly counters: ElectionCounters = newElectionCounters();
  readonly #options: NetworkOptions;
  /** Of the cluster key, for the datagrams of all members. */
  readonly #key: KeyObject | undefined;
  /** Are datagrams tagged, by that key or by a key of each member? */
  readonly #tagged: boolean;
  readonly #log: RateLimitedLog;
  readonly #listenText: string;
  readonly #freshness = new DatagramFreshness();
  #addresses: MemberAddressBook | undefined;
  #receiver: ((from: ServerId, message: ElectionMessage) => void) | undefined;
  #socket: RebindingSocket | undefined;
  #sequence = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#key = options.clusterKey === undefined ? undefined : datagramKeyOf(clusterKeyOf(options.clusterKey));
    assert(this.#key === undefined || options.datagramKeys === undefined, 'Two kinds of keys for election datagrams');
    this.#tagged = this.#key !== undefined || options.datagramKeys !== undefined;
    this.#log = new RateLimitedLog(options.log, warnIntervalMs);
    const self = options.members.find((member) => member.id === options.self);
    assert(self !== undefined, `Cannot make an election network: server ${options.self} is not among its members`);
    this.#listenText = options.listenElection ?? self.electionAddr;
  }

  /** Resolves once datagrams can arrive; rejects with a StoreError that says why they cannot. */
  async listen(): Promise<void> {
    const address = parseListenAddress(this.#listenText, 'ElectionAddr');
    try {
      this.#socket = await RebindingSocket.open(address, {
        received: (datagram, remote) => this.#receive(datagram, remote),
        failed: (error) => {
          this.counters.socketErrors++;
          this.#log.warn(
            'socket',
            `The socket of ${this.#listenText} (ElectionAddr) is made again: ${reasonOf(error)}`,
          );
        },
      });
    } catch (error) {
      throw listenFailure(this.#listenText, 'ElectionAddr', error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The port that is bound, also where 0 was asked for. */
  get boundPort(): number {
    return this.#bound().port;
  }

  start(receive: (from: ServerId, message: ElectionMessage) => void): void {
    this.#addresses = new MemberAddressBook(this.#options.members, this.#bound().family === 6);
    this.#receiver = receive;
  }

  send(to: ServerId, message: ElectionMessage): void {
    const destination = this.#addresses?.destination(to);
    if (this.#socket === undefined || destination === undefined) {
      this.counters.sendFailed++;
      return;
    }
    const { group, self, incarnation, boot, membershipHash, limits, datagramKeys } = this.#options;
    const sequence = ++this.#sequence;
    const body = encodeElectionDatagram({ group, sender: self, incarnation, boot, sequence, membershipHash, message });
    const parts: Bytes[] = [Uint8Array.of(this.#tagged ? taggedMark : plainMark), body];
    const tag = this.#key === undefined ? datagramKeys?.tag(parts) : datagramTag(this.#key, parts);
    if (tag !== undefined) parts.push(tag);
    datagramKeys?.expect(to);
    const datagram = Buffer.concat(parts);
    assert(datagram.length <= limits.datagramBytesMax, `An election datagram has ${datagram.length} bytes`);
    this.counters.sent++;
    this.#socket.send(datagram, destination.port, destination.address, (error) => {
      if (error !== null) this.counters.sendFailed++;
    });
  }

  close(): void {
    this.#socket?.close();
  }

  #bound(): BoundAddress {
    assert(this.#socket !== undefined, 'The election network is not listening');
    return this.#socket.bound;
  }

  #receive(datagram: Buffer, remote: RemoteInfo): void {
    const decoded = this.#decode(datagram);
    if (decoded === undefined || this.#receiver === undefined || !this.#belongs(decoded, remote)) return;
    if (!this.#isOfSender(decoded, datagram)) return;
    const { sender, incarnation, boot, sequence } = decoded;
    if (!this.#freshness.accept(sender, incarnation, boot, sequence)) {
      this.counters.stale++;
      return;
    }
    this.counters.received++;
    this.#receiver(sender, decoded.message);
  }

  /** Authenticates by the cluster key, then decodes. */
  #decode(datagram: Buffer): ElectionDatagram | undefined {
    const { limits } = this.#options;
    const tagged = this.#tagged;
    const overhead = tagged ? 1 + tagBytes : 1;
    if (datagram.length <= overhead || datagram.length > limits.datagramBytesMax) {
      this.counters.malformed++;
      return undefined;
    }
    if (datagram[0] !== (tagged ? taggedMark : plainMark)) {
      const other = datagram[0] === (tagged ? plainMark : taggedMark);
      if (other) this.counters.unauthenticated++;
      else this.counters.malformed++;
      if (other) {
        this.#log.warn('key', `An election datagram was dropped: ${oneSided}`);
        if (tagged) this.#doubtSender(datagram);
      }
      return undefined;
    }
    const end = tagged ? datagram.length - tagBytes : datagram.length;
    if (this.#key !== undefined) {
      const expected = datagramTag(this.#key, [datagram.subarray(0, end)]);
      if (!equalTags(expected, datagram.subarray(end))) {
        this.counters.unauthenticated++;
        this.#log.warn('key', 'An election datagram was dropped: it is not authentic, the cluster keys may differ');
        return undefined;
      }
    }
    const decoded = readElectionDatagram(new Uint8Array(datagram.buffer, datagram.byteOffset + 1, end - 1));
    if (decoded === undefined) this.counters.malformed++;
    return decoded;
  }

  /** Of a datagram without a tag where there should be one: being asked for its key tells that member what is wrong. */
  #doubtSender(datagram: Buffer): void {
    const { datagramKeys } = this.#options;
    if (datagramKeys === undefined) return;
    const decoded = readElectionDatagram(new Uint8Array(datagram.buffer, datagram.byteOffset + 1, datagram.length - 1));
    if (decoded !== undefined && this.#isOther(decoded.sender)) datagramKeys.doubt(decoded.sender);
  }

  #isOther(id: ServerId): boolean {
    const { self, members } = this.#options;
    return id !== self && members.some((member) => member.id === id);
  }

  /** Where each member has a key of its own: by that of whom it says it is from? */
  #isOfSender({ sender }: ElectionDatagram, datagram: Buffer): boolean {
    const { datagramKeys } = this.#options;
    const end = datagram.length - tagBytes;
    if (datagramKeys?.accepts(sender, [datagram.subarray(0, end)], datagram.subarray(end)) !== false) return true;
    // No warning: a member that has started anew is heard as soon as its key is known, and asking for that tells the rest.
    this.counters.unauthenticated++;
    return false;
  }

  /** Is it of this group and membership, and from whom it says? A tag vouches for the sender in another way. */
  #belongs(datagram: ElectionDatagram, remote: RemoteInfo): boolean {
    const { group, membershipHash } = this.#options;
    const { sender } = datagram;
    const from = `${remote.address}:${remote.port}`;
    let reason: string | undefined;
    if (datagram.group !== group) reason = `it is of group ${datagram.group}`;
    else if (datagram.membershipHash !== membershipHash) reason = 'its sender has a different list of members';
    else if (!this.#isOther(sender)) reason = `server ${sender} is no other member`;
    else if (!this.#tagged && this.#addresses?.isFrom(sender, remote.address, remote.port) !== true) {
      reason = `this is not the ElectionAddr of server ${sender}; set a cluster key if its address is translated`;
    }
    if (reason === undefined) return true;
    this.counters.foreign++;
    this.#log.warn('foreign', `An election datagram from ${from} was dropped: ${reason}`);
    return false;
  }
}

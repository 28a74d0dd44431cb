// The IP addresses behind the members' ElectionAddr. Names are looked up in the background, kept, and looked up again now
// and then, since a member that is restarted elsewhere keeps its name and not its address. Never blocks a datagram.

import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { ServerId } from '../shared/ids.js';
import { parseListenAddress } from './listen-address.js';
import type { NetworkMember } from './network-options.js';

interface Resolved {
  readonly host: string;
  readonly port: number;
  /** Empty until the first look-up has succeeded; the preferred one first. */
  addresses: readonly string[];
  lookedUpMs: number;
  busy: boolean;
}

/** Known addresses are looked up again when they are older than this. */
const refreshMs = 10_000;
/** A look-up is not repeated sooner than this. */
const retryMs = 1_000;

export class MemberAddressBook {
  readonly #members = new Map<ServerId, Resolved>();
  readonly #ipv6: boolean;

  /** ipv6: addresses are given as an IPv6 socket wants them. */
  constructor(members: readonly NetworkMember[], ipv6: boolean) {
    this.#ipv6 = ipv6;
    for (const member of members) {
      const { host, port } = parseListenAddress(member.electionAddr, 'ElectionAddr');
      const known = isIP(host) === 0 ? [] : [host];
      this.#members.set(member.id, { host, port, addresses: known, lookedUpMs: Number.NEGATIVE_INFINITY, busy: false });
      this.#refresh(member.id, retryMs);
    }
  }

  /** Where to send to; undefined while the name is not resolved or has no address that the socket can reach. */
  destination(id: ServerId): { readonly address: string; readonly port: number } | undefined {
    const member = this.#members.get(id);
    if (member === undefined || member.port === 0) return undefined;
    this.#refresh(id, member.addresses.length === 0 ? retryMs : refreshMs);
    const address = member.addresses.find((candidate) => this.#ipv6 || isIP(candidate) === 4);
    if (address === undefined) return undefined;
    return { address: this.#ipv6 && isIP(address) === 4 ? `::ffff:${address}` : address, port: member.port };
  }

  /** True if a datagram from this address and port can be that member's. */
  isFrom(id: ServerId, address: string, port: number): boolean {
    const member = this.#members.get(id);
    if (member === undefined) return false;
    const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
    if (member.port === port && member.addresses.includes(plain)) return true;
    this.#refresh(id, retryMs);
    return false;
  }

  #refresh(id: ServerId, ageMs: number): void {
    const member = this.#members.get(id);
    if (member === undefined || member.busy || isIP(member.host) !== 0) return;
    const nowMs = performance.now();
    if (nowMs - member.lookedUpMs < ageMs) return;
    member.busy = true;
    member.lookedUpMs = nowMs;
    lookup(member.host, { all: true, order: 'ipv4first' }, (error, found) => {
      member.busy = false;
      // What was known stays: a name server that is away must not take the members with it.
      if (error === null && found.length > 0) member.addresses = found.map(({ address }) => address);
    });
  }
}

// Makes the headers of answers from what this node is and knows: cluster, member, term and revision. Keeps nothing that
// could grow old but what never changes once it is known.

import type { StoreService } from '../../service/store-service.js';
import type { EnsembleId, Revision } from '../../shared/ids.js';
import { type HeaderIdentity, headerIdentity, type ResponseHeader } from './codec/response-header.js';

export class ResponseHeaders {
  private readonly service: StoreService;
  /** Known once the ensemble has been formed. */
  private identity: HeaderIdentity | null = null;

  constructor(service: StoreService) {
    this.service = service;
  }

  /** For an answer about the state at this revision. */
  at(revision: number): ResponseHeader {
    return { identity: this.identity ?? this.lookUp(), revision, raftTerm: this.service.epoch };
  }

  /** For an answer to a range: as etcd, the newest revision, even where an older one was asked for. */
  ofRange(at: Revision | undefined, head: { readonly revision: Revision }): ResponseHeader {
    return at === undefined ? this.at(head.revision) : this.now();
  }

  /** For an answer about the state that this node has applied. */
  now(): ResponseHeader {
    return this.at(this.service.revision);
  }

  /** Apart, since a status is not made for every answer. */
  private lookUp(): HeaderIdentity {
    const { ensembleId, id } = this.service.status();
    const identity = headerIdentity(clusterIdOf(ensembleId), BigInt(id));
    if (ensembleId !== null) this.identity = identity;
    return identity;
  }
}

/** etcd's cluster ids have 64 bits: the first half of the ensemble's id. 0 before there is one. */
export function clusterIdOf(ensembleId: EnsembleId | null): bigint {
  return ensembleId === null ? 0n : BigInt(`0x${ensembleId.slice(0, 16)}`);
}

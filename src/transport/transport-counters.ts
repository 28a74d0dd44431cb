// Plain counters of both networks, read by the metrics page. Nothing but counting happens where they are raised.

export interface PeerCounters {
  handshakesRefused: number;
  /** Half-open connections closed because they took too long or because there were too many. */
  handshakesTimedOut: number;
  handshakesEvicted: number;
  linksOpened: number;
  linksClosed: number;
  framesSent: number;
  framesReceived: number;
  /** Payload bytes, without lengths and tags. */
  bytesSent: number;
  bytesReceived: number;
  /** Frames too large or not authentic. */
  framesRefused: number;
}

export function newPeerCounters(): PeerCounters {
  return {
    handshakesRefused: 0,
    handshakesTimedOut: 0,
    handshakesEvicted: 0,
    linksOpened: 0,
    linksClosed: 0,
    framesSent: 0,
    framesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    framesRefused: 0,
  };
}

export interface ElectionCounters {
  sent: number;
  received: number;
  /** Dropped on arrival, by reason. */
  malformed: number;
  unauthenticated: number;
  /** Of another group, other members, from no member, or from an address that is not that member's. */
  foreign: number;
  /** Not newer than what its sender sent before. */
  stale: number;
  /** Not sent: no address known, socket not there, or refused by the operating system. */
  sendFailed: number;
  socketErrors: number;
}

export function newElectionCounters(): ElectionCounters {
  return {
    sent: 0,
    received: 0,
    malformed: 0,
    unauthenticated: 0,
    foreign: 0,
    stale: 0,
    sendFailed: 0,
    socketErrors: 0,
  };
}

// Channels over TLS, for Node. A server is believed when an authority vouches for its certificate and that is for the name
// or address by which it was called.

import { isIP } from 'node:net';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { parseAddress } from '../shared/address.js';
import type { ClientTransport } from './client-transport.js';
import { closedChannel, socketChannel } from './socket-channel.js';

export interface TlsTransportOptions {
  /** PEM: authorities, or certificates of servers themselves; default: those that Node knows. */
  readonly ca?: string | readonly string[];
  /** PEM: who the client is, where servers want to know by a certificate. */
  readonly cert?: string;
  readonly key?: string;
  /** false: believes anybody; for tests alone. */
  readonly verify?: boolean;
}

/** Throws when certificates or key cannot be used. */
export function tlsTransport(options: TlsTransportOptions = {}): ClientTransport {
  const { ca, cert, key, verify = true } = options;
  const secureContext: SecureContext = createSecureContext({
    minVersion: 'TLSv1.2',
    // A server's own certificate among the authorities is enough.
    allowPartialTrustChain: true,
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  return {
    open(peer, handler) {
      const address = parseAddress(peer);
      if (typeof address === 'string') return closedChannel(address, handler);
      const { host, port } = address;
      const servername = isIP(host) === 0 ? host : '';
      const socket = connect({ host, port, servername, secureContext, rejectUnauthorized: verify });
      socket.setNoDelay(true);
      return socketChannel(socket, 'secureConnect', handler);
    },
  };
}

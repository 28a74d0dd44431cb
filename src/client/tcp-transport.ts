// Channels over TCP, for Node.

import { connect } from 'node:net';
import { parseAddress } from '../shared/address.js';
import type { ClientTransport } from './client-transport.js';
import { closedChannel, socketChannel } from './socket-channel.js';

export const tcpTransport: ClientTransport = {
  open(peer, handler) {
    const address = parseAddress(peer);
    if (typeof address === 'string') return closedChannel(address, handler);
    const { host, port } = address;
    return socketChannel(connect({ host, port, noDelay: true, keepAlive: true }), 'connect', handler);
  },
};

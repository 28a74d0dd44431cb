// A datagram that ends the listener.

import { type Mutation, replace } from '../mutation.js';

export const malformedDatagram: Mutation = {
  id: 'gometa-malformed-datagram',
  source: 'gometa',
  broken: 'A datagram that cannot be decoded is an error of the listener instead of a datagram to drop.',
  leaves: [
    replace<typeof import('../../../src/wire/election-codec.js')>(
      'wire/election-codec',
      ({ decodeElectionDatagram }) => ({
        readElectionDatagram: decodeElectionDatagram,
      }),
    ),
  ],
  world: [
    replace<typeof import('../../../src/wire/election-codec.js')>(
      'wire/election-codec',
      ({ encodeElectionDatagram }) => ({
        // Some arrive short, as if something else had sent them to this port.
        encodeElectionDatagram: (datagram) => {
          const bytes = encodeElectionDatagram(datagram);
          return datagram.sequence % 16 === 5 ? bytes.subarray(0, bytes.length - 3) : bytes;
        },
      }),
    ),
  ],
  nodes: 3,
  seconds: 2,
  faults: ['crashLeader'],
  noticedBy: ['no assertion fails', 'progress after healing'],
};

import type { Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/until.js';
import { type BoundAddress, bind, RebindingSocket } from './rebinding-socket.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

describe('RebindingSocket', () => {
  it('receives on the same port again after its socket failed and could not be made at once', async () => {
    const made: Socket[] = [];
    let refusals = 0;
    const received: string[] = [];
    const failures: string[] = [];
    const bindTo = async (address: BoundAddress): Promise<Socket> => {
      if (made.length > 0 && refusals-- > 0) throw new Error('no buffer space');
      const socket = await bind(address);
      made.push(socket);
      return socket;
    };
    const handler = {
      received: (datagram: Buffer) => received.push(datagram.toString()),
      failed: (error: Error) => failures.push(error.message),
    };
    const socket = await RebindingSocket.open({ host: '127.0.0.1', port: 0 }, handler, bindTo);
    const sender = await bind({ family: 4, address: '127.0.0.1', port: 0 });
    cleanups.push(
      () => socket.close(),
      () => sender.close(),
    );
    const { port } = socket.bound;
    sender.send('one', port, '127.0.0.1');
    await until('the first', () => received.length === 1);

    refusals = 1;
    made[0]?.emit('error', new Error('the interface went away'));
    let refused = '';
    socket.send(Buffer.from('x'), port, '127.0.0.1', (error) => {
      refused = error?.message ?? '';
    });
    expect(refused).toMatch(/being made again/);
    await until('the new socket', () => made.length === 2);
    expect(failures).toEqual(['the interface went away', 'no buffer space']);
    expect(socket.bound.port).toBe(port);
    sender.send('two', port, '127.0.0.1');
    await until('the second', () => received.length === 2);
    expect(received).toEqual(['one', 'two']);
  });

  it('makes no socket after close()', async () => {
    const made: Socket[] = [];
    const bindTo = async (address: BoundAddress): Promise<Socket> => {
      const socket = await bind(address);
      made.push(socket);
      return socket;
    };
    const handler = { received: () => undefined, failed: () => undefined };
    const socket = await RebindingSocket.open({ host: 'localhost', port: 0 }, handler, bindTo);
    const { address, family, port } = socket.bound;
    made[0]?.emit('error', new Error('gone'));
    socket.close();
    const next = await bind({ address, family, port });
    next.close();
    expect(made.length).toBe(1);
  });
});

// There is one key space: what one front end writes, all others read, with the same revisions.

import { expect, it } from 'vitest';
import { tcpTransport } from '../../src/client/tcp-transport.js';
import { ZabtreeClient } from '../../src/client/zabtree-client.js';
import { withEnsemble } from '../harness/test-ensemble.js';
import { GrpcEndpoint } from './grpc-endpoint.js';

const range = '/etcdserverpb.KV/Range';
const put = '/etcdserverpb.KV/Put';

it("the native protocol and etcd's API read each other's keys; a new ensemble is at revision 1, and reading moves nothing", async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const addresses = test.ensemble.requestAddresses;
    const follower = addresses[test.followersOf(leader)[0] ?? 0] ?? '';
    const etcd = new GrpcEndpoint('etcd', follower);
    const native = new ZabtreeClient({ peers: [addresses[leader] ?? ''], transport: tcpTransport });
    try {
      expect(await etcd.call(range, { key: 'a' })).toMatchObject({ message: { header: { revision: '1' } } });
      expect((await native.status()).revision).toBe(1);

      expect((await native.set('a', 'native')).revision).toBe(2);
      expect(await etcd.call(range, { key: 'a' })).toMatchObject({
        message: {
          header: { revision: '2' },
          kvs: [{ key: 'a', value: 'native', create_revision: '2', mod_revision: '2', version: '1' }],
        },
      });

      expect(await etcd.call(put, { key: 'a', value: 'etcd' })).toMatchObject({
        message: { header: { revision: '3' } },
      });
      const { record } = await native.get('a');
      expect({ ...record, value: Buffer.from(record?.value ?? []).toString() }).toMatchObject({
        value: 'etcd',
        createRevision: 2,
        modRevision: 3,
        version: 2,
      });

      // Leases move the zxid alone; connecting, reading and asking for the status move nothing at all.
      await etcd.call('/etcdserverpb.Lease/LeaseGrant', { ID: '7', TTL: 1000 });
      const before = await native.status();
      expect(before.revision).toBe(3);
      const another = new GrpcEndpoint('another', follower);
      await another.call(range, { key: 'a' });
      await another.call('/etcdserverpb.Lease/LeaseKeepAlive', { ID: '7' });
      await another.call('/etcdserverpb.Maintenance/Status', {});
      another.close();
      const after = await native.status();
      expect([after.revision, after.zxid]).toEqual([before.revision, before.zxid]);
    } finally {
      etcd.close();
      native.close();
    }
  });
});

// What is asked of etcdctl, by groups of its commands, in an order that leaves every answer determined. Each group begins
// on an empty store.

import type { EtcdctlSession } from './etcdctl-session.js';

export type Script = (session: EtcdctlSession) => Promise<void>;

const remaining = /remaining\(\d+s\)/g;

export const keyScript: Script = async (session) => {
  const run = session.run.bind(session);
  await run(['put', 'a', 'one']);
  await run(['put', 'a', 'two', '--prev-kv']);
  await run(['put', 'b'], { input: 'from standard input' });
  await run(['put', 'c', 'three']);
  await run(['put', 'dir/1', 'x']);
  await run(['put', 'dir/2', 'y']);
  await run(['put', 'dir/3', '']);
  await run(['put', 'a', '--ignore-value']);
  await run(['put', 'missing', '--ignore-value']);
  await run(['put', 'missing', 'x', '--ignore-lease']);
  await run(['put', 'a']);
  await run(['put', '', 'x']);
  await run(['put', 'a', 'x', '--lease', '1234']);
  await run(['get', 'a']);
  await run(['get', 'a', '--print-value-only']);
  await run(['get', 'nothing']);
  await run(['get', '']);
  await run(['get', 'a', '-w', 'json']);
  await run(['get', 'a', '-w', 'fields']);
  await run(['get', 'a', '--hex']);
  await run(['get', 'a', '--rev', '2']);
  await run(['get', 'a', '--rev', '1']);
  await run(['get', 'a', '--rev', '1000']);
  await run(['get', 'a', '--consistency', 's', '-w', 'fields']);
  await run(['get', 'a', 'c']);
  await run(['get', 'a', 'c', '--keys-only']);
  await run(['get', '--prefix', 'dir/', '--limit', '2', '-w', 'fields']);
  await run(['get', '--prefix', 'dir/', '--order', 'DESCEND', '--sort-by', 'MODIFY']);
  await run(['get', '--prefix', '', '--order', 'ASCEND', '--sort-by', 'VALUE']);
  await run(['get', '--prefix', '', '--sort-by', 'VERSION', '--order', 'DESCEND', '--keys-only']);
  await run(['get', '--from-key', 'c', '-w', 'json']);
  await run(['get', '--prefix', '--from-key', 'c']);
  await run(['del', 'a', '--prev-kv']);
  await run(['del', 'a']);
  await run(['del', '--prefix', 'dir/', '--prev-kv']);
  await run(['del', 'b', 'd']);
  await run(['get', '', '--from-key', '-w', 'fields']);
  await run(['put', 'a', 'again']);
  await run(['get', 'a', '-w', 'fields']);
};

export const transactionScript: Script = async (session) => {
  const run = session.run.bind(session);
  const txn = (compares: string, success: string, failure: string, format = 'simple'): Promise<string> =>
    run(['txn', '-w', format], { input: `${compares}\n\n${success}\n\n${failure}\n\n` });
  await run(['put', 'flag', 'up']);
  await txn('value("flag") = "up"', 'put flag down\nget flag', 'get flag');
  await txn('value("flag") = "up"', 'put flag down', 'get flag\ndel flag');
  await txn('version("flag") = "0"', 'put flag new\nput other x', 'get flag');
  await txn('create("flag") > "2"\nmod("flag") > "1"', 'get --prefix fl', 'put no no', 'json');
  await txn('version("flag") < "9"', 'del flag --prev-kv\nget other', '', 'fields');
  await txn('', 'put same 1\nput same 2', '');
  await txn('', 'put same 1\ndel --prefix sa', '');
  await txn('', `${Array.from({ length: 129 }, (_, index) => `put key${index} x`).join('\n')}`, '');
  await run(['get', '', '--from-key', '-w', 'fields']);
};

export const watchScript: Script = async (session) => {
  const run = session.run.bind(session);
  await run(['put', 'w', '1']);
  await run(['put', 'w', '2']);
  await run(['del', 'w']);
  const past = session.begin(['watch', 'w', '--rev', '2']);
  await past.lines(8);
  await past.stop();
  const previous = session.begin(['watch', '--prefix', 'w', '--rev', '3', '--prev-kv']);
  await run(['put', 'w1', 'later']);
  await previous.lines(13);
  await previous.stop();
  await run(['put', 'w2', 'in']);
  await run(['put', 'w3', 'out']);
  await run(['del', '--prefix', 'w']);
  const range = session.begin(['watch', 'w1', 'w3', '--rev', '5', '-w', 'fields']);
  await range.lines(30);
  await range.stop();
  const commanded = session.begin(['watch', 'w', '--rev', '2', '--', 'echo', 'changed']);
  await commanded.lines(12);
  await commanded.stop();
  await run(['compaction', '5']);
  await run(['watch', 'w', '--rev', '3']);
};

export const leaseScript: Script = async (session) => {
  const run = session.run.bind(session);
  const granted = await run(['lease', 'grant', '600']);
  const id = /lease ([0-9a-f]+) /.exec(granted)?.[1] ?? 'none';
  await run(['put', 'held', 'x', '--lease', id]);
  await run(['put', 'held2', 'y', '--lease', id]);
  await run(['get', 'held', '-w', 'fields'], { mask: [/"Lease" : \d+/g] });
  await run(['lease', 'timetolive', id], { mask: [remaining] });
  await run(['lease', 'timetolive', id, '--keys'], { mask: [remaining] });
  await run(['lease', 'keep-alive', '--once', id]);
  await run(['lease', 'list']);
  await run(['put', 'held2', 'z']);
  await run(['put', 'held', '--ignore-value', '--ignore-lease']);
  await run(['lease', 'timetolive', id, '--keys'], { mask: [remaining] });
  await run(['lease', 'revoke', id]);
  await run(['get', '--prefix', 'held', '-w', 'fields']);
  await run(['lease', 'list']);
  await run(['lease', 'revoke', id]);
  await run(['lease', 'timetolive', '0000000000001234']);
  await run(['lease', 'keep-alive', '--once', '1234']);
  await run(['lease', 'grant', '99999999999']);
  await run(['lease', 'grant', 'soon']);
  // Each raises it to its own least, which follows from how long its elections take.
  await run(['lease', 'grant', '0'], { mask: [/TTL\(\d+s\)/g] });
};

export const compactionScript: Script = async (session) => {
  const run = session.run.bind(session);
  for (const value of ['1', '2', '3', '4']) await run(['put', 'k', value]);
  await run(['compaction', '3']);
  await run(['get', 'k', '--rev', '2']);
  await run(['get', 'k', '--rev', '3']);
  await run(['compaction', '3']);
  await run(['compaction', '1000']);
  await run(['compaction', '4', '--physical']);
  await run(['get', 'k', '--rev', '4']);
  await run(['compaction', 'x']);
};

export const accessScript: Script = async (session) => {
  const run = session.run.bind(session);
  await run(['user', 'add', 'root:rootpw']);
  await run(['user', 'add', 'root:rootpw']);
  await run(['user', 'add', 'alice', '--interactive=false'], { input: 'pw\n' });
  await run(['user', 'add', 'bob', '--no-password']);
  await run(['user', 'list']);
  await run(['user', 'get', 'nobody']);
  await run(['role', 'add', 'reader']);
  await run(['role', 'add', 'reader']);
  await run(['role', 'add', 'root']);
  await run(['role', 'grant-permission', 'reader', 'read', 'pub/', 'pub0']);
  await run(['role', 'grant-permission', 'reader', 'readwrite', '--prefix=true', 'own/']);
  await run(['role', 'grant-permission', 'reader', 'write', 'single']);
  await run(['role', 'grant-permission', 'ghost', 'write', 'single']);
  await run(['role', 'get', 'reader']);
  await run(['role', 'list']);
  await run(['role', 'revoke-permission', 'reader', 'single']);
  await run(['role', 'revoke-permission', 'reader', 'single']);
  await run(['user', 'grant-role', 'alice', 'reader']);
  await run(['user', 'grant-role', 'alice', 'ghost']);
  await run(['user', 'grant-role', 'nobody', 'reader']);
  await run(['user', 'get', 'alice']);
  await run(['user', 'get', 'alice', '--detail']);
  await run(['user', 'revoke-role', 'bob', 'reader']);
  await run(['auth', 'enable']);
  await run(['user', 'grant-role', 'root', 'root']);
  await run(['put', 'pub/a', 'x']);
  await run(['auth', 'enable']);
  await run(['get', 'pub/a']);
  await run(['get', 'pub/a', '--user', 'alice:wrong']);
  await run(['get', 'pub/a', '--user', 'alice:pw']);
  await run(['put', 'pub/a', 'y', '--user', 'alice:pw']);
  await run(['put', 'own/a', 'z', '--user', 'alice:pw']);
  await run(['get', '--prefix', 'own/', '--user', 'alice:pw']);
  await run(['get', '--prefix', '', '--user', 'alice:pw']);
  await run(['del', '--prefix', 'pub/', '--user', 'alice:pw']);
  await run(['user', 'list', '--user', 'alice:pw']);
  await run(['user', 'list', '--user', 'root:rootpw']);
  await run(['user', 'passwd', 'alice', '--interactive=false', '--user', 'root:rootpw'], { input: 'new\n' });
  await run(['get', 'own/a', '--user', 'alice:pw']);
  await run(['get', 'own/a', '--user', 'alice:new']);
  await run(['user', 'delete', 'root', '--user', 'root:rootpw']);
  await run(['role', 'delete', 'root', '--user', 'root:rootpw']);
  await run(['role', 'delete', 'reader', '--user', 'root:rootpw']);
  await run(['user', 'get', 'alice', '--user', 'root:rootpw']);
  await run(['auth', 'disable', '--user', 'root:rootpw']);
  await run(['user', 'delete', 'alice']);
  await run(['user', 'delete', 'alice']);
  await run(['user', 'list']);
  await run(['get', 'own/a']);
};

/** Of the columns of `endpoint status`, those that no two clusters have in common; the members answer in any order. */
const statusColumns = [/^ENDPOINT, ID, VERSION, SIZE, (true|false), false, \d+, \d+, \d+, $/g];

export const endpointScript: Script = async (session) => {
  const run = session.run.bind(session);
  const everywhere = { everywhere: true, sorted: true };
  await run(['put', 'a', 'b']);
  await run(['endpoint', 'health'], everywhere);
  await run(['endpoint', 'health', '--cluster'], { sorted: true });
  await run(['endpoint', 'status'], { ...everywhere, mask: statusColumns });
  await run(['endpoint', 'status', '-w', 'json'], { mask: [/"version":"[^"]*"/g] });
  await run(['endpoint', 'status', '-w', 'fields'], { mask: [/"Version" : "[^"]*"/g] });
  await run(['endpoint', 'hashkv'], { ...everywhere, mask: [/^ENDPOINT, \d+$/g] });
  await run(['endpoint', 'hashkv', '-w', 'json']);
  await run(['endpoint', 'hashkv', '--rev', '1000']);
  await run(['member', 'list'], { sorted: true, mask: [/started, [^,]+,/g] });
  await run(['member', 'list', '-w', 'json'], { mask: [/"name":"[^"]*"/g, /"members":.*/g] });
  await run(['defrag'], everywhere);
  await run(['defrag', '--cluster'], { sorted: true });
  await run(['alarm', 'list']);
  await run(['alarm', 'disarm']);
  await run(['get', 'a']);
};

/** The store may take 16 MiB. */
export const quotaBytes = 16 * 2 ** 20;
const mebibyte = 'x'.repeat(2 ** 20);

export const alarmScript: Script = async (session) => {
  const { run } = unrecorded(session);
  await session.run(['put', 'small', 'x']);
  const lease = /lease ([0-9a-f]+) /.exec(await session.run(['lease', 'grant', '600']))?.[1] ?? 'none';
  for (let filled = false, count = 0; !filled; count++) {
    if (count > 64) throw new Error('The quota was never reached');
    filled = !(await run(['put', `fill/${count % 4}`], mebibyte));
  }
  await session.run(['put', 'small', 'y']);
  await session.run(['alarm', 'list'], { mask: [/memberID:(\d+|ID)/g], distinct: true });
  await session.run(['txn'], { input: '\n\nput small z\n\n\n' });
  await session.run(['txn'], { input: '\n\nget small\n\n\n' });
  await session.run(['lease', 'grant', '600']);
  await session.run(['lease', 'keep-alive', '--once', lease]);
  await session.run(['get', 'small', '--print-value-only']);
  await session.run(['del', 'fill/', '--prefix'], { mask: [/^\d+$/g] });
  const head = await session.run(['get', 'small', '-w', 'json'], { mask: [/"revision":\d+/g] });
  const revision = /"revision":(\d+)/.exec(head)?.[1] ?? '0';
  await session.run(['compaction', revision, '--physical'], { mask: [/revision \d+|compaction \d+/g] });
  await session.run(['defrag'], { everywhere: true, sorted: true });
  await session.run(['alarm', 'disarm'], { mask: [/memberID:(\d+|ID)/g], distinct: true });
  await session.run(['alarm', 'list']);
  await session.run(['put', 'small', 'z']);
  await session.run(['get', 'small', '--print-value-only']);
};

/** Commands whose number is not determined: true when one ended well. */
function unrecorded(session: EtcdctlSession): { run(words: readonly string[], input: string): Promise<boolean> } {
  return {
    run: async (words, input) => {
      const begun = session.transcript.length;
      await session.run(words, { input });
      return session.transcript.splice(begun).at(-1) === '[0]';
    },
  };
}

export const snapshotScript: Script = async (session) => {
  const run = session.run.bind(session);
  const file = `${session.cluster.directory}/saved.db`;
  for (const key of ['a', 'b', 'c']) await run(['put', key, 'x']);
  await run(['del', 'b']);
  await run(['snapshot', 'save', file]);
  await run(['snapshot', 'status', file], { mask: [/^[0-9a-f]+, /g, /, \d+, SIZE$/g] });
};

export const concurrencyScript: Script = async (session) => {
  const run = session.run.bind(session);
  await run(['lock', 'mutex', 'echo', 'held']);
  const first = session.begin(['lock', 'mutex'], { mask: [/mutex\/[0-9a-f]+/g] });
  await first.lines(1);
  const second = session.begin(['lock', 'mutex'], { mask: [/mutex\/[0-9a-f]+/g] });
  await first.stop();
  await second.lines(1);
  await second.stop();
  await run(['get', '--prefix', 'mutex', '--keys-only']);
  const candidate = session.begin(['elect', 'post', 'one'], { mask: [/post\/[0-9a-f]+/g] });
  await candidate.lines(2);
  const listener = session.begin(['elect', '--listen', 'post'], { mask: [/post\/[0-9a-f]+/g] });
  await listener.lines(2);
  const successor = session.begin(['elect', 'post', 'two'], { mask: [/post\/[0-9a-f]+/g] });
  await candidate.stop();
  await successor.lines(2);
  await listener.lines(4);
  await listener.stop();
  await successor.stop();
  await run(['get', '--prefix', 'post']);
};

export const checkScript: Script = async (session) => {
  // Whether a machine passes is no property of the server: only what was measured counts.
  const pick = /Throughput|Slowest request|Stddev/g;
  await session.run(['check', 'perf', '--load', 's'], { timeoutMs: 150_000, pick });
};

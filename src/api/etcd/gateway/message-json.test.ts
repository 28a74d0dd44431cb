import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../codec/generated-codec.js';
import { int64Of } from '../codec/int64.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import { deadlineOf } from './grpc-timeout.js';
import { JsonError, jsonValues } from './json-values.js';
import { bytesOfJson, jsonOfBytes } from './message-json.js';
import { MessageTypes } from './message-types.js';
import { gatewayPaths } from './paths.js';

const types = new MessageTypes();
const put = types.method('/etcdserverpb.KV/Put');
const txn = types.method('/etcdserverpb.KV/Txn');
const watch = types.method('/etcdserverpb.Watch/Watch');

describe('bytesOfJson()', () => {
  it('gives the bytes that the generated code makes of the same fields', () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter((value) => value !== 0n);
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(bytes, bytes, int64, (key, value, lease) => {
        const json = {
          key: base64(key),
          value: base64(value),
          lease: String(lease),
          prevKv: true,
          ignore_lease: false,
        };
        const generated = encodeMessage(pb.PutRequest, { key, value, lease: int64Of(lease), prev_kv: true });
        expect(Array.from(bytesOfJson(put.request, json))).toEqual(Array.from(generated));
        expect(JSON.parse(jsonOfBytes(put.request, generated))).toEqual({
          key: base64(key),
          value: base64(value),
          lease: String(lease),
          prev_kv: true,
        });
      }),
    );
  });

  it('takes messages inside each other, enums by name or number, and lists', () => {
    const json = {
      compare: [{ target: 'MOD', result: 1, key: 'YQ==', modRevision: '0' }],
      success: [{ requestTxn: { failure: [{ request_delete_range: { key: 'YQ' } }] } }, {}],
    };
    const key = Uint8Array.of(0x61);
    const generated = encodeMessage(pb.TxnRequest, {
      compare: [{ result: 1, target: 2, key, mod_revision: int64Of(0) }],
      success: [{ request_txn: { failure: [{ request_delete_range: { key } }] } }, {}],
    });
    expect(Array.from(bytesOfJson(txn.request, json))).toEqual(Array.from(generated));
    const filters = bytesOfJson(watch.request, { create_request: { filters: ['NODELETE', 'NOPUT'] } });
    expect(pb.WatchRequest.decode(filters).create_request?.filters).toEqual([1, 0]);
  });

  it('takes both alphabets of base64, padded or not', () => {
    const keyOf = (text: string) => Array.from(pb.PutRequest.decode(bytesOfJson(put.request, { key: text })).key);
    expect(keyOf('-_8=')).toEqual([0xfb, 0xff]);
    expect(keyOf('+/8')).toEqual([0xfb, 0xff]);
    expect(() => keyOf('YQ=a')).toThrow(JsonError);
    expect(() => keyOf('Y')).toThrow('illegal base64 data at input byte 1');
    expect(() => keyOf('!!')).toThrow('illegal base64 data at input byte 0');
  });

  it('refuses what the field cannot be, with nothing but JsonError', () => {
    for (const bad of [[], 1, 'x', { key: 5 }, { lease: 1.5 }, { lease: 'x' }, { prev_kv: 'true' }, { lease: true }]) {
      expect(() => bytesOfJson(put.request, bad)).toThrow(JsonError);
    }
    expect(() => bytesOfJson(put.request, { lease: String(2n ** 63n) })).toThrow(JsonError);
    expect(() => bytesOfJson(txn.request, { compare: {} })).toThrow(JsonError);
    let deep: unknown = {};
    for (let depth = 0; depth < 5_000; depth++) deep = { success: [{ request_txn: deep }] };
    expect(() => bytesOfJson(txn.request, deep)).toThrow('nests too deep');
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          bytesOfJson(txn.request, { compare: [value], success: [{ request_put: value }] });
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
        }
      }),
    );
  });
});

describe('jsonOfBytes()', () => {
  it('keeps messages that are there and empty, and leaves zeros out', () => {
    const response = encodeMessage(pb.TxnResponse, { responses: [{ response_txn: { header: {} } }] });
    expect(jsonOfBytes(txn.response, response)).toBe('{"responses":[{"response_txn":{"header":{}}}]}');
    expect(jsonOfBytes(txn.response, new Uint8Array(0))).toBe('{}');
  });
});

describe('jsonValues()', () => {
  it('keeps large whole numbers exact, and only those', () => {
    const [value] = jsonValues('{"a": 7587848390000000124, "b": -9223372036854775808, "c": [12, 1e20], "d": "1"}', 1);
    expect(value).toEqual({ a: '7587848390000000124', b: '-9223372036854775808', c: [12, 1e20], d: '1' });
    expect(jsonValues('{"text":"12345678901234567890 \\" {\\\\"}', 1)).toEqual([
      { text: '12345678901234567890 " {\\' },
    ]);
  });

  it('reads values one after the other, and no more than wanted', () => {
    expect(jsonValues(' {"a":1}{"a":2}\n[3] ', 9)).toEqual([{ a: 1 }, { a: 2 }, [3]]);
    expect(jsonValues('{"a":1} and so on', 1)).toEqual([{ a: 1 }]);
    expect(jsonValues('  ', 1)).toEqual([]);
  });

  it('refuses what nests deeper or has more parts than any message, before the rest of it is looked at', () => {
    // What follows is no JSON, which is never found out.
    expect(() => jsonValues(`${'['.repeat(601)}?`, 1)).toThrow('nests too deep');
    expect(() => jsonValues(`[${'{},'.repeat(100_000)}?`, 1)).toThrow('too many parts');
    expect(jsonValues(`${'['.repeat(600)}${']'.repeat(600)}`, 1)).toHaveLength(1);
    expect(jsonValues(`[${'{},'.repeat(90_000)}{}]`, 1)).toHaveLength(1);
  });

  it('throws JsonError for what is no JSON', () => {
    for (const text of ['{', '{"a', '{"a":}', '}', 'nul', '{]', '"\\', '{"a":1,}', '-', '{"a" 1}', '\u0000']) {
      expect(() => jsonValues(text, 1), text).toThrow(JsonError);
    }
    const values = fc.tuple(fc.json(), fc.json());
    fc.assert(fc.property(values, ([a, b]) => jsonValues(`${a} ${b}`, 2).length === 2));
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          jsonValues(text, 3);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
        }
      }),
    );
  });
});

describe('the gateway', () => {
  it('has a path for every method, all of which the .proto files know', () => {
    for (const path of gatewayPaths.values()) expect(() => types.method(path)).not.toThrow();
    expect(new Set(gatewayPaths.values()).size).toBe(48);
  });

  it('takes deadlines as gRPC writes them', () => {
    expect(deadlineOf(undefined)).toBe(0);
    expect(deadlineOf('1n')).toBe(1);
    expect(deadlineOf('250m')).toBe(250);
    expect(deadlineOf('2H')).toBe(7_200_000);
    for (const bad of ['', '5', 'm', '123456789S', '-1S', '1s']) expect(() => deadlineOf(bad)).toThrow(JsonError);
  });
});

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

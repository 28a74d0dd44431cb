// The messages of etcd's API as the .proto files of this project describe them, by reflection: for tests that speak to
// zabtree and to etcd alike and must not rely on zabtree's own encoders.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const directory = fileURLToPath(new URL('../../protocol/etcd/', import.meta.url));

function load(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(directory, target);
  const files = readdirSync(directory).filter((name) => name.endsWith('.proto'));
  return root.loadSync(files, { keepCase: true });
}

const root = load();

export interface MethodShape {
  readonly path: string;
  readonly request: protobuf.Type;
  readonly response: protobuf.Type;
}

/** `/etcdserverpb.KV/Put` → the types that it takes and gives. */
export function methodShape(path: string): MethodShape {
  const [, service = '', name = ''] = path.split('/');
  const method = root.lookupService(service).methods[name];
  if (method === undefined) throw new Error(`Cannot find the method ${path}: no .proto file has it`);
  method.resolve();
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`Cannot find the messages of ${path}`);
  return { path, request, response };
}

/** Plain data: 64-bit numbers as decimal text, bytes as one character a byte, zero fields left out. */
export type Plain = { readonly [field: string]: unknown };

export function plainOf(type: protobuf.Type, bytes: Uint8Array): Plain {
  return readable(type.toObject(type.decode(bytes), { longs: String, enums: String, bytes: Uint8Array })) as Plain;
}

export function bytesOf(type: protobuf.Type, plain: Plain): Uint8Array {
  return type.encode(type.fromObject(raw(plain) as { [field: string]: unknown })).finish();
}

function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, readable(field)]));
}

/** Text of fields that are bytes is turned into bytes; protobufjs would take it for base64. */
function raw(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(raw);
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      bytesFields.has(name) && typeof field === 'string' ? Buffer.from(field, 'latin1') : raw(field),
    ]),
  );
}

const bytesFields: ReadonlySet<string> = new Set(['key', 'range_end', 'value', 'prev_key']);

// The messages and methods of etcd's API as data, from the descriptor that is generated beside their code: for what walks
// messages by the names of their fields.

import { InvariantError } from '../../../shared/assert.js';
import { descriptor } from '../generated/descriptor.js';

export type ScalarType = 'bytes' | 'string' | 'bool' | 'int64' | 'uint64' | 'uint32';

export interface EnumType {
  /** As Go's code calls it, in errors. */
  readonly name: string;
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
}

export type FieldKind =
  | { readonly type: ScalarType }
  | { readonly type: 'enum'; readonly of: EnumType }
  | { readonly type: 'message'; readonly of: MessageType };

export interface MessageField {
  readonly name: string;
  readonly id: number;
  readonly repeated: boolean;
  readonly kind: FieldKind;
}

export interface MessageType {
  readonly name: string;
  /** By number, ascending. */
  readonly fields: ReadonlyMap<number, MessageField>;
  /** By the name in the .proto file, and by that in lower camel case. */
  readonly byName: ReadonlyMap<string, MessageField>;
}

export interface MethodType {
  readonly request: MessageType;
  readonly response: MessageType;
  readonly answersMany: boolean;
}

/** A node of the descriptor: a namespace, a message, an enum or a service. */
interface Node {
  readonly nested?: Readonly<Record<string, Node>>;
  readonly fields?: Readonly<Record<string, { readonly type: string; readonly id: number; readonly rule?: string }>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly methods?: Readonly<
    Record<string, { readonly requestType: string; readonly responseType: string; readonly responseStream?: boolean }>
  >;
}

const scalars: ReadonlySet<string> = new Set<ScalarType>(['bytes', 'string', 'bool', 'int64', 'uint64', 'uint32']);

export class MessageTypes {
  private readonly nodes = new Map<string, Node>();
  private readonly messages = new Map<string, MessageType>();
  private readonly enums = new Map<string, EnumType>();

  constructor() {
    this.collect('', descriptor as Node);
  }

  /** `/etcdserverpb.KV/Range` */
  method(path: string): MethodType {
    const [, service = '', name = ''] = path.split('/');
    const method = this.nodes.get(service)?.methods?.[name];
    if (method === undefined) throw new InvariantError(`No .proto file has the method ${path}`);
    return {
      request: this.messageOf(method.requestType, service),
      response: this.messageOf(method.responseType, service),
      answersMany: method.responseStream ?? false,
    };
  }

  private collect(path: string, node: Node): void {
    this.nodes.set(path, node);
    for (const [name, inner] of Object.entries(node.nested ?? {})) {
      this.collect(path === '' ? name : `${path}.${name}`, inner);
    }
  }

  /** Names are resolved from the inside out, as protobuf does. */
  private resolve(name: string, scope: string): string {
    for (let outer = scope; ; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
      const candidate = outer === '' ? name : `${outer}.${name}`;
      if (this.nodes.has(candidate)) return candidate;
      if (outer === '') throw new InvariantError(`No .proto file has ${name}`);
    }
  }

  private messageOf(name: string, scope: string): MessageType {
    const path = this.resolve(name, scope);
    const known = this.messages.get(path);
    if (known !== undefined) return known;
    const fields = new Map<number, MessageField>();
    const byName = new Map<string, MessageField>();
    const message: MessageType = { name: path, fields, byName };
    // Before its fields: a transaction may hold transactions.
    this.messages.set(path, message);
    const described = Object.entries(this.nodes.get(path)?.fields ?? {}).sort(([, a], [, b]) => a.id - b.id);
    for (const [fieldName, { id, type, rule }] of described) {
      const field = { name: fieldName, id, repeated: rule === 'repeated', kind: this.kindOf(type, path) };
      fields.set(id, field);
      byName.set(fieldName, field);
      byName.set(camelCase(fieldName), field);
    }
    return message;
  }

  private kindOf(type: string, scope: string): FieldKind {
    if (scalars.has(type)) return { type: type as ScalarType };
    const path = this.resolve(type, scope);
    if (this.nodes.get(path)?.values === undefined) return { type: 'message', of: this.messageOf(type, scope) };
    return { type: 'enum', of: this.enumOf(path) };
  }

  private enumOf(path: string): EnumType {
    const known = this.enums.get(path);
    if (known !== undefined) return known;
    const values = Object.entries(this.nodes.get(path)?.values ?? {});
    const [first = '', ...rest] = path.split('.');
    const made: EnumType = {
      name: `${first}.${rest.join('_')}`,
      numbers: new Map(values),
      names: new Map(values.map(([name, value]) => [value, name])),
    };
    this.enums.set(path, made);
    return made;
  }
}

function camelCase(name: string): string {
  return name.replace(/_([a-zA-Z])/g, (_, letter: string) => letter.toUpperCase());
}

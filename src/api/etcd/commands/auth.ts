// The service Auth: users, roles, permissions, and tokens. Changes go to the leader as commands; questions are answered
// by this member, linearizably. Passwords are handed to the service and kept nowhere.

import type { AccessRequest } from '../../../service/access-service.js';
import type { Bytes } from '../../../shared/bytes.js';
import { copyBytes } from '../../../shared/bytes.js';
import { StoreError } from '../../../shared/errors.js';
import type { KeyPermission } from '../../../tree/access/access-records.js';
import type { Actor, CommandResult } from '../../../tree/command.js';
import { bytesOf, decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { int64Of } from '../codec/int64.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import { type authpb, etcdserverpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { answer, failCall, failWithCode, type MethodEntries, unary, within } from '../grpc-methods.js';

type Header = ReturnType<typeof headerFields>;

export function authMethods(context: EtcdContext): MethodEntries {
  return [...changes(context), ...questions(context), authenticate(context)];
}

/** Nobody, where no token says otherwise. */
const nobody: Actor = { user: '', accessRevision: 0 };

function changes(context: EtcdContext): MethodEntries {
  return [
    change(context, 'AuthEnable', pb.AuthEnableRequest, pb.AuthEnableResponse, () => ({ type: 'enable' })),
    change(context, 'AuthDisable', pb.AuthDisableRequest, pb.AuthDisableResponse, () => ({ type: 'disable' })),
    // The password comes as it is, from clients of every version; `hashedPassword` is what servers of etcd tell each other.
    change(context, 'UserAdd', pb.AuthUserAddRequest, pb.AuthUserAddResponse, ({ name, password, options }) => ({
      type: 'userAdd',
      user: name,
      password,
      noPassword: options?.no_password ?? false,
    })),
    change(context, 'UserDelete', pb.AuthUserDeleteRequest, pb.AuthUserDeleteResponse, ({ name }) => ({
      type: 'userDelete',
      user: name,
    })),
    change(
      context,
      'UserChangePassword',
      pb.AuthUserChangePasswordRequest,
      pb.AuthUserChangePasswordResponse,
      ({ name, password }) => ({ type: 'userChangePassword', user: name, password }),
    ),
    change(context, 'UserGrantRole', pb.AuthUserGrantRoleRequest, pb.AuthUserGrantRoleResponse, ({ user, role }) => ({
      type: 'userGrantRole',
      user,
      role,
    })),
    change(context, 'UserRevokeRole', pb.AuthUserRevokeRoleRequest, pb.AuthUserRevokeRoleResponse, (request) => ({
      type: 'userRevokeRole',
      user: request.name,
      role: request.role,
    })),
    change(context, 'RoleAdd', pb.AuthRoleAddRequest, pb.AuthRoleAddResponse, ({ name }) => ({
      type: 'roleAdd',
      role: name,
    })),
    change(context, 'RoleDelete', pb.AuthRoleDeleteRequest, pb.AuthRoleDeleteResponse, ({ role }) => ({
      type: 'roleDelete',
      role,
    })),
    change(
      context,
      'RoleGrantPermission',
      pb.AuthRoleGrantPermissionRequest,
      pb.AuthRoleGrantPermissionResponse,
      ({ name, perm }) => ({
        type: 'roleGrantPermission',
        role: name,
        ...(perm === null || perm === undefined ? {} : { permission: permissionOf(perm) }),
      }),
    ),
    change(
      context,
      'RoleRevokePermission',
      pb.AuthRoleRevokePermissionRequest,
      pb.AuthRoleRevokePermissionResponse,
      ({ role, key, range_end }) => ({
        type: 'roleRevokePermission',
        role,
        key: copyBytes(bytesOf(key)),
        rangeEnd: copyBytes(bytesOf(range_end)),
      }),
    ),
  ];
}

function questions(context: EtcdContext): MethodEntries {
  const { access } = context.service;
  return [
    question(context, 'AuthStatus', (call, _request, actor, reply) =>
      access.status(actor, call.timeoutMs, (error, status) =>
        reply(error, status, (header, { enabled, revision }) =>
          encodeMessage(pb.AuthStatusResponse, { header, enabled, authRevision: int64Of(revision) }),
        ),
      ),
    ),
    question(context, 'UserList', (call, _request, actor, reply) =>
      access.users(actor, call.timeoutMs, (error, users) =>
        reply(error, users, (header, names) => encodeMessage(pb.AuthUserListResponse, { header, users: [...names] })),
      ),
    ),
    question(context, 'RoleList', (call, _request, actor, reply) =>
      access.roles(actor, call.timeoutMs, (error, roles) =>
        reply(error, roles, (header, names) => encodeMessage(pb.AuthRoleListResponse, { header, roles: [...names] })),
      ),
    ),
    question(context, 'UserGet', (call, request, actor, reply) => {
      const { name } = decodeMessage(pb.AuthUserGetRequest, request);
      access.rolesOfUser(name, actor, call.timeoutMs, (error, roles) =>
        reply(error, roles, (header, names) => encodeMessage(pb.AuthUserGetResponse, { header, roles: [...names] })),
      );
    }),
    question(context, 'RoleGet', (call, request, actor, reply) => {
      const { role } = decodeMessage(pb.AuthRoleGetRequest, request);
      access.permissionsOfRole(role, actor, call.timeoutMs, (error, permissions) =>
        reply(error, permissions, (header, held) =>
          encodeMessage(pb.AuthRoleGetResponse, { header, perm: held.map(fieldsOf) }),
        ),
      );
    }),
  ];
}

/** Needs no token: it is how one comes by one. */
function authenticate(context: EtcdContext): MethodEntries[number] {
  return unary(context, '/etcdserverpb.Auth/Authenticate', (call, bytes) => {
    const { name, password } = decodeMessage(pb.AuthenticateRequest, bytes);
    const done = within(context, call, (error: StoreError | null, token: string | null) => {
      if (call.over) return;
      if (error !== null || token === null) failCall(context, call, error);
      else answer(call, encodeMessage(pb.AuthenticateResponse, { header: headerFields(context.headers.now()), token }));
    });
    context.service.access.authenticate(name, password, call.timeoutMs, done);
  });
}

/** A method whose request is one change and whose response is a header. */
function change<Request>(
  context: EtcdContext,
  method: string,
  requestType: { decode: Parameters<typeof decodeMessage<Request>>[0]['decode'] },
  responseType: { encode: Parameters<typeof encodeMessage<{ header?: Header | null }>>[0]['encode'] },
  requestOf: (request: Request) => AccessRequest,
): MethodEntries[number] {
  return unary(context, `/etcdserverpb.Auth/${method}`, (call, bytes) => {
    const request = requestOf(decodeMessage(requestType, bytes));
    const actor = context.actorOf(call) ?? nobody;
    const done = within(context, call, ({ code, revision }: CommandResult) => {
      if (call.over) return;
      if (code === 'OK')
        answer(call, encodeMessage(responseType, { header: headerFields(context.headers.at(revision)) }));
      else failWithCode(call, code);
    });
    context.service.access.change(request, { actor, timeoutMs: call.timeoutMs }, done);
  });
}

/** Ends the call with the failure, or with what `encode` makes of the result. */
type Reply = <T>(error: StoreError | null, result: T | null, encode: (header: Header, result: T) => Bytes) => void;

function question(
  context: EtcdContext,
  method: string,
  ask: (call: GrpcCall, request: Bytes, actor: Actor, reply: Reply) => void,
): MethodEntries[number] {
  return unary(context, `/etcdserverpb.Auth/${method}`, (call, request) => {
    ask(call, request, context.actorOf(call) ?? nobody, (error, result, encode) => {
      try {
        if (call.over) return;
        if (error !== null || result === null) failCall(context, call, error);
        else answer(call, encode(headerFields(context.headers.now()), result));
      } catch (thrown) {
        failCall(context, call, thrown);
      }
    });
  });
}

const permissionTypes = ['read', 'write', 'readwrite'] as const;

function permissionOf({ permType, key, range_end }: authpb.IPermission): KeyPermission {
  const type = permissionTypes[permType ?? 0];
  if (type === undefined) throw new StoreError('INVALID_ARGUMENT', 'The permission is of an unknown type');
  return { type, key: copyBytes(bytesOf(key)), rangeEnd: copyBytes(bytesOf(range_end)) };
}

function fieldsOf({ type, key, rangeEnd }: KeyPermission): authpb.IPermission {
  return { permType: permissionTypes.indexOf(type), key, range_end: rangeEnd };
}

// Access control as front ends use it: who a request is made for, logging in, and reading and changing users and roles.
// Passwords come in here as text and go no further than this; what is sent on is their hash.

import { randomBytes } from 'node:crypto';
import type { EnsembleNode } from '../ensemble/ensemble-node.js';
import { StoreError } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import type { AccessChange } from '../tree/access/access-change.js';
import { compareNames, type KeyPermission, rootName, type UserRecord } from '../tree/access/access-records.js';
import type { AccessView } from '../tree/access/access-state.js';
import type { Actor, CommandResult, RequestIdentity } from '../tree/command.js';
import { type AccessCheckLimits, checkAccessChange } from './access-checks.js';
import { AccessTokens, type TokenLimits } from './access-tokens.js';
import type { JwtClaims, JwtTokens } from './jwt-tokens.js';
import { PasswordHashing, type PasswordLimits } from './password-hashing.js';
import { checkIdentity } from './request-checks.js';

/** A change with passwords as they were typed. */
export type AccessRequest =
  | { readonly type: 'enable' }
  | { readonly type: 'userAdd'; readonly user: string; readonly password: string; readonly noPassword: boolean }
  | { readonly type: 'userChangePassword'; readonly user: string; readonly password: string }
  | Exclude<AccessChange, { type: 'enable' | 'userAdd' | 'userChangePassword' }>;

/** Somebody whose password was right. Counts until the password is changed or the user deleted. */
export interface Login {
  readonly user: string;
  readonly credentialRevision: number;
}

export interface AccessStatus {
  readonly enabled: boolean;
  readonly revision: number;
}

/** Who asks for a change, and for how long. */
export interface AskedChange {
  readonly actor: Actor;
  readonly timeoutMs: number;
  /** So that a repetition is executed once. */
  readonly identity?: RequestIdentity | undefined;
}

export type Answer<T> = (error: StoreError | null, result: T | null) => void;

/** Timeouts as in StoreService. Reads are linearizable. */
export interface AccessService {
  /** On this node. */
  readonly enabled: boolean;
  /** Throws UNAUTHENTICATED for a token that is not valid (any more). Where access control is off, nobody looks at it. */
  actorOfToken(token: string): Actor;
  /** For a user that is known by other means than a token: a certificate. */
  actorOfUser(user: string): Actor;
  /** Throws UNAUTHENTICATED for a login that counts no more, and without one while access control is on. */
  actorOfLogin(login: Login | undefined): Actor;
  /** False: the token was issued by a member that is ahead of this one: wait with `whenJudgeable`. */
  canJudge(token: string): boolean;
  whenJudgeable(token: string, timeoutMs: number, done: (error: StoreError | null) => void): void;

  logIn(user: string, password: string, timeoutMs: number, done: Answer<Login>): void;
  /** ACCESS_NOT_ENABLED, AUTHENTICATION_FAILED, or a token. */
  authenticate(user: string, password: string, timeoutMs: number, done: Answer<string>): void;
  change(request: AccessRequest, asked: AskedChange, done: (result: CommandResult) => void): void;

  status(actor: Actor, timeoutMs: number, done: Answer<AccessStatus>): void;
  /** Names in order. */
  users(actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void;
  roles(actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void;
  /** Everybody may ask for themselves, and for a role that they have. */
  rolesOfUser(user: string, actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void;
  permissionsOfRole(role: string, actor: Actor, timeoutMs: number, done: Answer<readonly KeyPermission[]>): void;
  /** Whether the actor may administer, as the state stands when it is asked. */
  whenAdmin(actor: Actor, timeoutMs: number, done: (error: StoreError | null) => void): void;
}

export interface AccessServiceLimits extends AccessCheckLimits, TokenLimits, PasswordLimits {}

export interface AccessServiceOptions {
  readonly limits: AccessServiceLimits;
  /** When a request that has this long must be answered, in the node's time. */
  readonly deadline: (timeoutMs: number) => number;
  /** Unix time. */
  readonly wallClockMs: () => number;
  /** In the place of tokens of our own. */
  readonly jwtTokens?: JwtTokens | undefined;
}

/** Whoever has not said who it is. */
export const anonymous: Actor = { user: '', accessRevision: 0 };

const tokenSecretBytes = 32;
const rootPermission: KeyPermission = { type: 'readwrite', key: new Uint8Array(0), rangeEnd: new Uint8Array([0]) };

export class NodeAccessService implements AccessService {
  private readonly node: EnsembleNode;
  private readonly limits: AccessServiceLimits;
  private readonly deadline: (timeoutMs: number) => number;
  private readonly tokens: AccessTokens;
  private readonly jwtTokens: JwtTokens | undefined;
  private readonly passwords: PasswordHashing;

  constructor(node: EnsembleNode, { limits, deadline, wallClockMs, jwtTokens }: AccessServiceOptions) {
    this.node = node;
    this.limits = limits;
    this.deadline = deadline;
    this.tokens = new AccessTokens(limits, wallClockMs);
    this.jwtTokens = jwtTokens;
    this.passwords = new PasswordHashing(limits);
  }

  get enabled(): boolean {
    return this.view.settings.enabled;
  }

  // ---- who ----

  actorOfToken(token: string): Actor {
    if (!this.enabled) return anonymous;
    if (this.jwtTokens !== undefined) return this.actorOfJwt(this.jwtTokens.verify(token));
    const claims = this.tokens.verify(token, this.view.settings.tokenSecret);
    if (claims === undefined) throw invalidToken();
    return this.actorOfLogin(claims);
  }

  actorOfUser(user: string): Actor {
    const { settings } = this.view;
    return settings.enabled ? { user, accessRevision: settings.revision } : anonymous;
  }

  actorOfLogin(login: Login | undefined): Actor {
    if (!this.enabled) return anonymous;
    if (login === undefined) throw new StoreError('UNAUTHENTICATED', 'Access control is on: log in first');
    const user = this.view.user(login.user);
    if (user?.credentialRevision !== login.credentialRevision) throw invalidToken();
    return this.actorOfUser(login.user);
  }

  /** As etcd, by the revision of the token: any change of access control since then ends what it permits. */
  private actorOfJwt(claims: JwtClaims | undefined): Actor {
    if (claims === undefined) throw invalidToken();
    const { user, revision } = claims;
    const known = this.view.user(user);
    // Who was deleted, or has another password since then, does not administer either.
    if (known === undefined || revision < known.credentialRevision) throw invalidToken();
    return { user, accessRevision: revision };
  }

  canJudge(token: string): boolean {
    const { jwtTokens } = this;
    if (jwtTokens !== undefined) {
      const revision = jwtTokens.isKept(token) ? undefined : jwtTokens.peek(token)?.revision;
      return revision === undefined || revision <= this.view.settings.revision;
    }
    if (this.tokens.isKept(token)) return true;
    const claims = this.tokens.peek(token);
    return claims === undefined || claims.zxid <= this.node.tree.appliedZxid;
  }

  whenJudgeable(token: string, timeoutMs: number, done: (error: StoreError | null) => void): void {
    const claims = this.jwtTokens === undefined ? this.tokens.peek(token) : undefined;
    // A JWT says of what revision it is, not where in the log that is.
    if (this.jwtTokens !== undefined) this.node.readBarrier(this.deadline(timeoutMs), done);
    else if (claims === undefined) done(null);
    else this.node.waitApplied(claims.zxid, this.deadline(timeoutMs), done);
  }

  // ---- logging in ----

  logIn(user: string, password: string, timeoutMs: number, done: Answer<Login>): void {
    this.node.readBarrier(this.deadline(timeoutMs), (error) => {
      if (error !== null) done(error, null);
      else this.compare(user, password, done);
    });
  }

  authenticate(user: string, password: string, timeoutMs: number, done: Answer<string>): void {
    this.logIn(user, password, timeoutMs, (error, login) => {
      const { settings } = this.view;
      if (error !== null || login === null) done(error, null);
      else if (!settings.enabled) done(notEnabled(), null);
      else if (this.jwtTokens !== undefined) this.issueJwt(this.jwtTokens, login, done);
      else done(null, this.tokens.issue({ ...login, zxid: this.node.tree.appliedZxid }, settings.tokenSecret));
    });
  }

  private issueJwt(tokens: JwtTokens, { user }: Login, done: Answer<string>): void {
    let token: string;
    try {
      token = tokens.issue({ user, revision: this.view.settings.revision });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      done(error, null);
      return;
    }
    done(null, token);
  }

  // ---- changing ----

  change(request: AccessRequest, asked: AskedChange, done: (result: CommandResult) => void): void {
    const { actor, identity } = asked;
    const deadlineMs = this.deadline(asked.timeoutMs);
    // Hashing is dear: not for whoever may not ask for it as far as this node knows. The leader judges for good; and it
    // alone may refuse a repetition, since it remembers what it refused.
    const repeated = identity?.repeated === true;
    const refusal = repeated ? undefined : this.node.tree.access.judge.adminRefusal(actor);
    const submit = (change: AccessChange): void => {
      const refused =
        checkAccessChange(change, this.limits) ?? (identity === undefined ? null : checkIdentity(identity));
      const envelope = { command: { type: 'access', change }, actor } as const;
      if (refused !== null) done(this.failed(refused));
      else this.node.submit(identity === undefined ? envelope : { ...envelope, identity }, deadlineMs, done);
    };
    switch (request.type) {
      case 'enable':
        submit({ type: 'enable', tokenSecret: new Secret(randomBytes(tokenSecretBytes)) });
        return;
      case 'userAdd':
      case 'userChangePassword':
        if (refusal !== undefined) done(this.failed(new StoreError(refusal.code, refusal.message)));
        else if (request.type === 'userAdd' && request.noPassword) submit({ ...request, password: noPassword });
        else this.hashed(request.password, done, (password) => submit({ ...request, password }));
        return;
      default:
        submit(request);
    }
  }

  // ---- reading ----

  status(actor: Actor, timeoutMs: number, done: Answer<AccessStatus>): void {
    this.read(timeoutMs, done, (view) => {
      this.assertAdmin(actor);
      return { enabled: view.settings.enabled, revision: view.settings.revision };
    });
  }

  users(actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void {
    this.read(timeoutMs, done, (view) => {
      this.assertAdmin(actor);
      return [...view.userNames()].sort(compareNames);
    });
  }

  roles(actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void {
    this.read(timeoutMs, done, (view) => {
      this.assertAdmin(actor);
      return [...view.roleNames()].sort(compareNames);
    });
  }

  rolesOfUser(name: string, actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void {
    this.read(timeoutMs, done, (view) => {
      if (name !== actor.user || name === '') this.assertAdmin(actor);
      const user = view.user(name);
      if (user === undefined) throw new StoreError('USER_NOT_FOUND', 'There is no user of this name');
      return user.roles;
    });
  }

  permissionsOfRole(name: string, actor: Actor, timeoutMs: number, done: Answer<readonly KeyPermission[]>): void {
    this.read(timeoutMs, done, (view) => {
      if (view.user(actor.user)?.roles.includes(name) !== true) this.assertAdmin(actor);
      const role = view.role(name);
      if (role === undefined) throw new StoreError('ROLE_NOT_FOUND', 'There is no role of this name');
      return name === rootName ? [rootPermission] : role.permissions;
    });
  }

  whenAdmin(actor: Actor, timeoutMs: number, done: (error: StoreError | null) => void): void {
    const admitted: Answer<void> = (error) => done(error);
    this.read(timeoutMs, admitted, () => this.assertAdmin(actor));
  }

  // ---- inside ----

  private get view(): AccessView {
    return this.node.tree.access.applied;
  }

  private compare(name: string, password: string, done: Answer<Login>): void {
    if (!this.enabled) {
      done(notEnabled(), null);
      return;
    }
    const user = this.view.user(name);
    const hash = user === undefined || user.noPassword ? undefined : user.password;
    this.passwords.verify(password, hash, (error, matches) => {
      if (error !== null) done(error, null);
      else if (!matches || user === undefined) {
        done(new StoreError('AUTHENTICATION_FAILED', 'Authentication failed: unknown user or wrong password'), null);
      } else if (!this.isCurrent(user)) {
        done(new StoreError('ACCESS_CHANGED', 'The user was changed while the password was compared'), null);
      } else {
        done(null, { user: name, credentialRevision: user.credentialRevision });
      }
    });
  }

  private isCurrent(user: UserRecord): boolean {
    return this.view.user(user.name)?.credentialRevision === user.credentialRevision;
  }

  private hashed(password: string, done: (result: CommandResult) => void, next: (hash: Secret) => void): void {
    this.passwords.hash(password, (error, hash) => {
      if (hash !== null) next(hash);
      else done(this.failed(error ?? new StoreError('INTERNAL', 'A password could not be hashed')));
    });
  }

  private failed({ code, message }: StoreError): CommandResult {
    const { revision, appliedZxid } = this.node.tree;
    return { code, message, revision, zxid: appliedZxid };
  }

  private read<T>(timeoutMs: number, done: Answer<T>, read: (view: AccessView) => T): void {
    this.node.readBarrier(this.deadline(timeoutMs), (unreadable) => {
      if (unreadable !== null) {
        done(unreadable, null);
        return;
      }
      let result: T;
      try {
        result = read(this.view);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        done(error, null);
        return;
      }
      done(null, result);
    });
  }

  private assertAdmin(actor: Actor): void {
    const refusal = this.node.tree.access.judge.adminRefusal(actor);
    if (refusal !== undefined) throw new StoreError(refusal.code, refusal.message);
  }
}

const noPassword = new Secret(new Uint8Array(0));

function invalidToken(): StoreError {
  return new StoreError('UNAUTHENTICATED', 'The token is not valid, or no longer');
}

function notEnabled(): StoreError {
  return new StoreError('ACCESS_NOT_ENABLED', 'Access control is not on');
}

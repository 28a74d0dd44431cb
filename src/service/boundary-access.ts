// Access control as front ends have it: each call crosses the line to the core (core-boundary.ts). Does no more than that.

import type { KeyPermission } from '../tree/access/access-records.js';
import type { Actor, CommandResult } from '../tree/command.js';
import type { AccessRequest, AccessService, AccessStatus, Answer, AskedChange, Login } from './access-service.js';
import type { CoreBoundary } from './core-boundary.js';

export class BoundaryAccess implements AccessService {
  private readonly inner: AccessService;
  private readonly boundary: CoreBoundary;

  constructor(inner: AccessService, boundary: CoreBoundary) {
    this.inner = inner;
    this.boundary = boundary;
  }

  get enabled(): boolean {
    return this.inner.enabled;
  }

  // ---- on the path of every request ----

  actorOfToken(token: string): Actor {
    try {
      return this.inner.actorOfToken(token);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  actorOfUser(user: string): Actor {
    try {
      return this.inner.actorOfUser(user);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  actorOfLogin(login: Login | undefined): Actor {
    try {
      return this.inner.actorOfLogin(login);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  canJudge(token: string): boolean {
    try {
      return this.inner.canJudge(token);
    } catch (error) {
      throw this.boundary.thrown(error);
    }
  }

  // ---- the others ----

  whenJudgeable(token: string, timeoutMs: number, done: Parameters<AccessService['whenJudgeable']>[2]): void {
    this.boundary.enter(() => this.inner.whenJudgeable(token, timeoutMs, done));
  }

  logIn(user: string, password: string, timeoutMs: number, done: Answer<Login>): void {
    this.boundary.enter(() => this.inner.logIn(user, password, timeoutMs, done));
  }

  authenticate(user: string, password: string, timeoutMs: number, done: Answer<string>): void {
    this.boundary.enter(() => this.inner.authenticate(user, password, timeoutMs, done));
  }

  change(request: AccessRequest, asked: AskedChange, done: (result: CommandResult) => void): void {
    this.boundary.enter(() => this.inner.change(request, asked, done));
  }

  status(actor: Actor, timeoutMs: number, done: Answer<AccessStatus>): void {
    this.boundary.enter(() => this.inner.status(actor, timeoutMs, done));
  }

  users(actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void {
    this.boundary.enter(() => this.inner.users(actor, timeoutMs, done));
  }

  roles(actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void {
    this.boundary.enter(() => this.inner.roles(actor, timeoutMs, done));
  }

  rolesOfUser(user: string, actor: Actor, timeoutMs: number, done: Answer<readonly string[]>): void {
    this.boundary.enter(() => this.inner.rolesOfUser(user, actor, timeoutMs, done));
  }

  permissionsOfRole(role: string, actor: Actor, timeoutMs: number, done: Answer<readonly KeyPermission[]>): void {
    this.boundary.enter(() => this.inner.permissionsOfRole(role, actor, timeoutMs, done));
  }

  whenAdmin(actor: Actor, timeoutMs: number, done: Parameters<AccessService['whenAdmin']>[2]): void {
    this.boundary.enter(() => this.inner.whenAdmin(actor, timeoutMs, done));
  }
}

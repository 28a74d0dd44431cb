// `auth`, `user` and `role`, as etcdctl has them: names, arguments and options. What they do is imported when they run.

import { Argument, type Command, Option } from 'commander';
import type { CommandHost } from './command-context.js';

const load = (): Promise<typeof import('./commands/access-commands.js')> => import('./commands/access-commands.js');

export function registerAccess(program: Command, host: CommandHost): void {
  registerAuth(program, host);
  registerUsers(program, host);
  registerRoles(program, host);
}

function registerAuth(program: Command, host: CommandHost): void {
  const auth = program.command('auth').description('access control: whether users, roles and permissions count');
  host
    .command(auth, 'enable', 'turn it on; gives the user root the role root where it lacks it')
    .action((flags: object) => host.run(flags, async (context) => (await load()).runEnable(context)));
  host
    .command(auth, 'disable', 'turn it off')
    .action((flags: object) => host.run(flags, async (context) => (await load()).runDisable(context)));
  host
    .command(auth, 'status', 'print on or off')
    .action((flags: object) => host.run(flags, async (context) => (await load()).runAccessStatus(context)));
}

function registerUsers(program: Command, host: CommandHost): void {
  const user = program.command('user').description('who may log in, where access control is on');
  const name = new Argument('<name>', 'the user');
  const role = new Argument('<role>', 'the role');
  host
    .command(user, 'add', 'a new user; asks for the password; exits 4 when there is one of this name')
    .addArgument(name)
    .option('--no-password', 'without a password: a certificate alone can name this user')
    .action((who: string, flags: { readonly password: boolean }) =>
      host.run(flags, async (context) => (await load()).runAddUser(context, who, flags.password)),
    );
  host
    .command(user, 'delete', 'delete a user; exits 3 when there is no such user')
    .addArgument(name)
    .action((who: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runDeleteUser(context, who)),
    );
  host
    .command(user, 'get', 'print the roles of a user; exits 3 when there is no such user')
    .addArgument(name)
    .option('--detail', 'with the permissions of each role')
    .action((who: string, flags: { readonly detail?: boolean }) =>
      host.run(flags, async (context) => (await load()).runGetUser(context, who, flags.detail === true)),
    );
  host
    .command(user, 'list', 'print the names of all users')
    .action((flags: object) => host.run(flags, async (context) => (await load()).runListUsers(context)));
  host
    .command(user, 'passwd', "change a user's password; asks for it; exits 3 when there is no such user")
    .addArgument(name)
    .action((who: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runChangePassword(context, who)),
    );
  host
    .command(user, 'grant-role', 'give a role to a user')
    .addArgument(name)
    .addArgument(role)
    .action((who: string, which: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runGrantRole(context, who, which)),
    );
  host
    .command(user, 'revoke-role', 'take a role from a user')
    .addArgument(name)
    .addArgument(role)
    .action((who: string, which: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runRevokeRole(context, who, which)),
    );
}

interface RangeFlags {
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
}

function registerRoles(program: Command, host: CommandHost): void {
  const role = program.command('role').description('what users may do with which keys');
  const name = new Argument('<role>', 'the role');
  host
    .command(role, 'add', 'a new role; exits 4 when there is one of this name')
    .addArgument(name)
    .action((which: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runAddRole(context, which)),
    );
  host
    .command(role, 'delete', 'delete a role; exits 3 when there is no such role')
    .addArgument(name)
    .action((which: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runDeleteRole(context, which)),
    );
  host
    .command(role, 'get', 'print the permissions of a role; exits 3 when there is no such role')
    .addArgument(name)
    .action((which: string, flags: object) =>
      host.run(flags, async (context) => (await load()).runGetRole(context, which)),
    );
  host
    .command(role, 'list', 'print the names of all roles')
    .action((flags: object) => host.run(flags, async (context) => (await load()).runListRoles(context)));
  ranged(
    host
      .command(role, 'grant-permission', 'allow users of a role to read or write keys')
      .addArgument(name)
      .addArgument(new Argument('<type>', 'what they may do').choices(['read', 'write', 'readwrite'])),
  ).action(
    (which: string, type: 'read' | 'write' | 'readwrite', key: string, end: string | undefined, flags: RangeFlags) =>
      host.run(flags, async (context) =>
        (await load()).runGrantPermission(context, which, type, { key, end, ...flags }),
      ),
  );
  ranged(
    host
      .command(role, 'revoke-permission', 'take a permission from a role: the range that was granted, not a part of it')
      .addArgument(name),
  ).action((which: string, key: string, end: string | undefined, flags: RangeFlags) =>
    host.run(flags, async (context) => (await load()).runRevokePermission(context, which, { key, end, ...flags })),
  );
}

function ranged(command: Command): Command {
  return command
    .addArgument(new Argument('<key>', 'the key, or where a range begins'))
    .addArgument(new Argument('[end]', 'where the range ends, exclusive'))
    .option('--prefix', 'all keys that start with the key')
    .addOption(new Option('--from-key', 'the key and all behind it').conflicts('prefix'));
}

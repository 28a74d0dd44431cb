// The import table of docs/architecture.md, stated so that a machine checks it. A folder may import what its row names
// and nothing else; type-only rows allow only imports that vanish at run time. Unit tests may import whatever lies in
// their own folder or below the same row, and vitest.

/** Rows of the table: folder under src -> folders that it may import (its own is always allowed). */
const table = {
  shared: [],
  zab: ['shared'],
  tree: ['shared'],
  wire: ['shared'],
  storage: ['shared', 'wire'],
  transport: ['shared', 'wire'],
  http2: ['shared'],
  'etcd-snapshot': ['shared', 'tree', 'wire/protobuf'],
  ensemble: ['shared', 'zab', 'tree', 'wire', 'config', 'observability'],
  service: ['shared', 'tree', 'ensemble', 'observability'],
  observability: ['shared'],
  config: ['shared'],
  client: ['shared', 'wire'],
};

/** Additional folders whose types may be imported: adapters implement the ports that ensemble and tree declare. */
const typeRows = {
  wire: ['zab', 'tree'],
  storage: ['zab', 'tree', 'ensemble'],
  transport: ['zab', 'ensemble'],
};

const isTest = '[.]test[.]ts$';
/** Commands that run a server or the simulator inside this process. */
const serverSideCommands =
  '^src/cli/((commands|etcd)/)?(etcd|server|rebuild|restore|simulate|snapshot-status)-command[.]ts$';
const pure = '^src/(shared|zab|tree)/';

function folderRule(folder, mayImport) {
  const allowed = [`^src/${folder}/`, ...mayImport.map((other) => `^src/${other}/`)];
  const types = (typeRows[folder] ?? []).map((other) => `^src/${other}/`);
  const rules = [
    {
      name: `${folder}-imports`,
      comment: `src/${folder} may import only: ${mayImport.join(', ') || 'nothing'}${types.length > 0 ? `; types of ${typeRows[folder].join(', ')}` : ''}`,
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: isTest },
      to: { path: '^src/', pathNot: [...allowed, ...types] },
    },
  ];
  if (types.length > 0) {
    rules.push({
      name: `${folder}-types-only`,
      comment: `src/${folder} may import only types from: ${typeRows[folder].join(', ')}`,
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: isTest },
      to: { path: types.join('|'), pathNot: allowed, dependencyTypesNot: ['type-only'] },
    });
  }
  return rules;
}

module.exports = {
  forbidden: [
    ...Object.entries(table).flatMap(([folder, mayImport]) => folderRule(folder, mayImport)),
    {
      name: 'no-circular',
      comment: 'Modules that need each other are one module.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-core',
      comment: 'shared, zab and tree are pure: no Node built-ins, no packages.',
      severity: 'error',
      from: { path: pure, pathNot: isTest },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'api-imports',
      comment:
        'A front end may import shared, service, config, observability, etcd-snapshot, http2, what all front ends share (files of src/api itself) and itself; native also wire.',
      severity: 'error',
      from: { path: '^src/api/([^/]+)/', pathNot: isTest },
      to: {
        path: '^src/',
        pathNot: [
          '^src/(shared|service|config|observability|etcd-snapshot|http2)/',
          '^src/api/[^/]+[.]ts$',
          '^src/api/$1/',
          '^src/wire/',
          '^src/(tree|ensemble|zab)/',
        ],
      },
    },
    {
      name: 'api-shared-imports',
      comment: 'What all front ends share knows none of them.',
      severity: 'error',
      from: { path: '^src/api/[^/]+[.]ts$', pathNot: isTest },
      to: { path: '^src/', pathNot: ['^src/(shared|config|observability)/', '^src/api/[^/]+[.]ts$'] },
    },
    {
      name: 'api-no-core-at-run-time',
      comment: 'A front end knows tree and ensemble only by their types, through the service contract.',
      severity: 'error',
      from: { path: '^src/api/', pathNot: isTest },
      to: { path: '^src/(tree|ensemble|zab)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'api-wire-is-native',
      comment:
        'Only the native front end speaks the wire format; http carries its frames inside WebSockets by reusing native through the server. Reading and writing protobuf fields is for all.',
      severity: 'error',
      from: { path: '^src/api/(?!native/)', pathNot: isTest },
      to: { path: '^src/wire/', pathNot: '^src/wire/protobuf/' },
    },
    {
      name: 'server-imports',
      comment: 'The composition root wires the server side; it knows no client, command line or simulator.',
      severity: 'error',
      from: { path: '^src/server/', pathNot: isTest },
      to: { path: '^src/(client|cli|simulator)/' },
    },
    {
      name: 'only-entry-points-import-server',
      comment: 'server is the composition root: only the command line loads it.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(server|cli)/', isTest] },
      to: { path: '^src/server/' },
    },
    {
      name: 'simulator-imports',
      comment:
        'The simulator runs the core, the driver and the storage code over a simulated world; never a front end.',
      severity: 'error',
      from: { path: '^src/simulator/', pathNot: isTest },
      to: { path: '^src/', pathNot: '^src/(simulator|shared|zab|tree|wire|storage|ensemble|config)/' },
    },
    {
      name: 'simulator-touches-nothing-real',
      comment: 'Files, sockets and LMDB are what is simulated: not even through another module.',
      severity: 'error',
      from: { path: '^src/simulator/', pathNot: isTest },
      to: {
        path: '^(node:)?(fs|fs/promises|net|dgram|child_process|lmdb)$|node_modules/lmdb/',
        reachable: true,
      },
    },
    {
      name: 'cli-imports',
      comment: 'The command line imports shared, wire, client and config; its server side is rooted in two commands.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: [isTest, serverSideCommands] },
      to: { path: '^src/', pathNot: '^src/(cli|shared|wire|client|config)/' },
    },
    {
      name: 'cli-server-side-imports',
      comment:
        'The commands that run a server or the simulator, rebuild a member or look at its files may import these two, and logs.',
      severity: 'error',
      from: { path: serverSideCommands, pathNot: isTest },
      to: { path: '^src/', pathNot: '^src/(cli|shared|config|observability|server|simulator)/' },
    },
    {
      name: 'cli-loads-server-side-lazily',
      comment: 'A client command must not pay for loading LMDB: those commands only through import().',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: [isTest, serverSideCommands] },
      to: { path: serverSideCommands, dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'tests-stay-in-tests',
      comment: 'Production code imports no test and nothing of test/.',
      severity: 'error',
      from: { path: '^src/', pathNot: isTest },
      to: { path: `^test/|${isTest}` },
    },
    {
      name: 'no-dev-dependency',
      comment: 'What runs in production is a dependency, not a dev dependency.',
      severity: 'error',
      from: { path: '^src/', pathNot: [isTest, '^src/(wire|api/etcd)/generated/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { conditionNames: ['import', 'require', 'node', 'default', 'types'] },
    exclude: { path: ['^dist/', '[.]d[.]ts$'] },
  },
};

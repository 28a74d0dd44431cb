// What takes too long for every commit: `npm run test:long`. LONG_MINUTES is how long each open-ended test goes on.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    reporters: ['default'],
    pool: 'forks',
    fileParallelism: false,
    setupFiles: ['test/support/property-seed.ts'],
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});

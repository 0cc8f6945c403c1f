import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.lab.test.ts', 'test/crash/**', 'node_modules/**'],
          testTimeout: 60_000,
          // Many of them wait for a time-out of somebody's: by default one CPU of two would stand idle.
          maxWorkers: availableParallelism() + 1,
        },
      },
      {
        test: {
          // Hundreds of daemons, killed at random points: alone on the machine.
          name: 'crash',
          include: ['test/crash/*.test.ts'],
          fileParallelism: false,
        },
      },
      {
        test: {
          // Real Slurm under real systemd: root and Debian only, one cluster after the other.
          name: 'lab',
          include: ['test/**/*.lab.test.ts'],
          fileParallelism: false,
          globalSetup: 'test/cluster/global-setup.ts',
          testTimeout: 180_000,
          // Whole clusters on two cores that others may share: what passes only the second time is shown as retried.
          retry: process.env['CI'] ? 1 : 0,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

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
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

import { defineConfig } from 'vitest/config'

// No part of `npm test`: it needs a Docker engine. Its tests are the steps of one life, each after the other.
export default defineConfig({
  test: {
    name: 'containers',
    include: ['deploy/test/containers/**/*.containers.ts'],
    testTimeout: 900_000,
    hookTimeout: 1_200_000,
    bail: 1,
  },
})

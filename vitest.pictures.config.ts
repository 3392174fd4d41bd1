import { defineConfig } from 'vitest/config'
import root from './vitest.config.ts'

// No part of `npm test`: what it makes are the pictures in docs/pictures, and it takes four minutes.
export default defineConfig({
  ...root,
  test: {
    name: 'pictures',
    include: ['apps/muster/test/pictures/*.pictures.ts'],
    globalSetup: ['packages/testkit/src/services.ts'],
    testTimeout: 600_000,
  },
})

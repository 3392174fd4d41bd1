import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { validate } from 'dockerfile-utils'
import { describe, expect, it } from 'vitest'
import { root } from './compose-file.ts'

const text = await readFile(join(root, 'deploy', 'Dockerfile'), 'utf8')
const [, ...stages] = text.split(/^FROM /m)
const last = stages.at(-1) ?? ''

describe('deploy/Dockerfile', () => {
  it('has no fault that a linter finds', () => {
    expect(validate(text).map(({ message, range }) => `line ${range.start.line + 1}: ${message}`)).toEqual([])
  })

  it('ends in an image that runs as a user without rights and takes from the build what was built alone', () => {
    expect(last).toMatch(/^USER node$/m)
    expect(last.match(/^COPY .*$/gm)).toEqual(['COPY --from=build /out ./'])
  })

  it('checks the health of every role by the script beside the program', async () => {
    expect(last).toContain('CMD ["node", "/app/apps/muster/bin/health.mjs"]')
  })

  it('installs from the lock, without what only tests and builds need', () => {
    expect(text).toContain('npm ci --omit=dev --omit=optional --workspace apps/muster')
    expect(text).not.toContain('npm install')
  })

  it('asks for no frontend that would have to be fetched', () => {
    expect(text).not.toMatch(/^# *syntax=/im)
  })
})

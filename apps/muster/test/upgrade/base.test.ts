import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findBase } from './base.ts'

describe('the commit that stands for the release before', () => {
  it('is the newest release before HEAD, by its number, and not one of another branch or of HEAD itself', async () => {
    const { root, commit, git } = await givenRepository()
    const tagged = (tag: string) => {
      commit(tag)
      git('tag', tag)
    }
    tagged('v0.10.0-rc.1')
    tagged('v0.10.0')
    tagged('v0.9.1')
    git('checkout', '--quiet', '-b', 'other')
    tagged('v0.11.0')
    git('checkout', '--quiet', '-')
    git('reset', '--quiet', '--hard', 'v0.9.1')
    commit('work')
    tagged('v0.12.0')

    expect(await findBase(root)).toMatchObject({ name: expect.stringMatching(/ v0\.10\.0$/) })
  })

  it('is the first parent of HEAD while there is no release', async () => {
    const { root, commit, git } = await givenRepository()
    commit('first')
    git('checkout', '--quiet', '-b', 'other')
    commit('other')
    git('checkout', '--quiet', '-')
    commit('second')
    git('merge', '--quiet', '--no-edit', 'other')

    expect(await findBase(root)).toMatchObject({ name: expect.stringMatching(/ second$/) })
  })

  it('is the one that is wanted, and nothing else when git does not know it', async () => {
    const { root, commit } = await givenRepository()
    commit('first')
    commit('second')

    expect(await findBase(root, 'HEAD')).toMatchObject({ name: expect.stringMatching(/ second$/) })
    await expect(findBase(root, 'v9')).rejects.toThrow(/v9/)
  })

  it('is absent, for a reason, in a shallow clone, below another checkout and without git', async () => {
    const { root, commit, git } = await givenRepository()
    commit('first')
    commit('second')
    const shallow = await givenFolder()
    git('clone', '--quiet', '--depth', '1', `file://${root}`, shallow)
    const below = join(root, 'unpacked')
    mkdirSync(below)

    expect(await findBase(shallow)).toEqual({ absent: expect.stringContaining('git fetch --unshallow') })
    expect(await findBase(below)).toEqual({ absent: expect.stringContaining('no checkout') })
    expect(await findBase(await givenFolder())).toEqual({ absent: expect.stringContaining('no checkout') })
  })
})

async function givenFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-base-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function givenRepository() {
  const root = await givenFolder()
  const author = ['-c', 'user.name=A', '-c', 'user.email=a@example.com', '-c', 'commit.gpgSign=false']
  const git = (...args: readonly string[]) => void execFileSync('git', [...author, ...args], { cwd: root })
  git('init', '--quiet')
  return { root, git, commit: (subject: string) => git('commit', '--quiet', '--allow-empty', '--message', subject) }
}

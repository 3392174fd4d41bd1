import { execFile } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The commit whose build stands for the release before this one. */
export interface Base {
  readonly commit: string
  /** For people: its short hash and its subject. */
  readonly name: string
}

/**
 * Of the checkout in `root`: the commit that is wanted; else the newest release before HEAD; else the first parent of HEAD. `absent` says
 * why there is none. Rejects when git does not know the wanted one.
 */
export async function findBase(root: string, wanted?: string): Promise<Base | { readonly absent: string }> {
  const git: Git = async (...args) => (await run('git', [...args], { cwd: root })).stdout.trim()
  if (wanted) return describe(git, wanted)
  const top = await git('rev-parse', '--show-toplevel').catch(() => null)
  // A release that was unpacked inside another checkout would get the history of that one.
  if (top === null || (await realpath(top)) !== (await realpath(root))) {
    return { absent: 'this folder is no checkout that git can read' }
  }
  const found = (await newestRelease(git)) ?? (await firstParent(git))
  return found === null
    ? { absent: 'git has no commit before HEAD here ("git fetch --unshallow" completes a shallow clone)' }
    : describe(git, found)
}

type Git = (...args: readonly string[]) => Promise<string>

/** Of 0.10 and 0.9 the first, and of 1.0 and 1.0-rc. */
async function newestRelease(git: Git): Promise<string | null> {
  const which = ['--list', 'v*', '--merged', 'HEAD', '--no-contains', 'HEAD']
  const tags = await git('-c', 'versionsort.suffix=-', 'tag', ...which, '--sort=-version:refname')
  return tags.split('\n')[0] || null
}

async function firstParent(git: Git): Promise<string | null> {
  const [, parent] = (await git('rev-list', '--parents', '--max-count=1', 'HEAD')).split(' ')
  return parent ?? null
}

async function describe(git: Git, commit: string): Promise<Base> {
  return {
    commit: await git('rev-parse', '--verify', '--end-of-options', `${commit}^{commit}`),
    name: await git('log', '--max-count=1', '--format=%h %s', '--end-of-options', commit),
  }
}

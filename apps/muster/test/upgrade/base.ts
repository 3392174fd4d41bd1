import { execFile } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** The commit whose build stands for the release before this one. */
export interface Base {
  readonly commit: string
  /** For people: its short hash and its subject. */
  readonly name: string
}

/**
 * What `MUSTER_SKEW_BASE` names; else the newest release before HEAD; else the first parent of HEAD. `absent` says why there is none.
 * Rejects when `MUSTER_SKEW_BASE` names no commit.
 */
export async function findBase(): Promise<Base | { readonly absent: string }> {
  const { MUSTER_SKEW_BASE: wanted } = process.env
  if (wanted) return describe(await commitOf(wanted))
  // The whole output of a failure would say it in several lines; the last one has the reason.
  const top = await git('rev-parse', '--show-toplevel').catch((error: Error) => ({
    absent: `git knows no history here (${error.message.trim().split('\n').at(-1)})`,
  }))
  if (typeof top === 'object') return top
  // A release that was unpacked inside another checkout would get the history of that one.
  if ((await realpath(top)) !== (await realpath(root))) return { absent: 'this folder is no checkout of git' }
  const commit = (await newestRelease()) ?? (await firstParent())
  return commit === null
    ? { absent: 'the history holds no commit before HEAD: "git fetch --unshallow" completes a shallow clone' }
    : describe(commit)
}

/** Of version 0.10 and 0.9 the first; of 1.0 and 1.0-rc the first. */
async function newestRelease(): Promise<string | null> {
  const before = ['--merged', 'HEAD', '--no-contains', 'HEAD']
  const order = ['-c', 'versionsort.suffix=-']
  const tags = await git(...order, 'tag', ...before, '--list', 'v*', '--sort=-version:refname')
  const [newest] = tags.split('\n')
  return newest ? commitOf(newest) : null
}

async function firstParent(): Promise<string | null> {
  const [, parent] = (await git('rev-list', '--parents', '--max-count=1', 'HEAD')).split(' ')
  return parent ?? null
}

function commitOf(name: string): Promise<string> {
  return git('rev-parse', '--verify', '--end-of-options', `${name}^{commit}`)
}

async function describe(commit: string): Promise<Base> {
  return { commit, name: await git('log', '--max-count=1', '--format=%h %s', commit) }
}

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', [...args], { cwd: root })
  return stdout.trim()
}

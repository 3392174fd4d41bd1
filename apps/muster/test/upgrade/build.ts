import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Of this checkout. */
export const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** Disposing it removes it. */
export interface Build extends AsyncDisposable {
  /** The program `muster` of that build. */
  readonly program: string
}

/**
 * Builds a commit in a folder of its own, without the network. It gets the packages that are installed here, which its lock may not name:
 * old code with our versions of libraries. The checkout, its index and its list of worktrees stay as they are.
 */
export async function buildCommit(commit: string): Promise<Build> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-skew-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    await unpack(commit, folder)
    await linkPackages(folder)
    await compile(folder)
  } catch (cause) {
    await remove()
    throw new Error(`the build of ${commit} has failed`, { cause })
  }
  return { program: join(folder, 'apps', 'muster', 'dist', 'main.js'), [Symbol.asyncDispose]: remove }
}

async function unpack(commit: string, folder: string): Promise<void> {
  const archive = join(folder, 'commit.tar')
  await run('git', ['archive', '--format=tar', `--output=${archive}`, commit], { cwd: root })
  await run('tar', ['-xf', archive, '-C', folder])
  await rm(archive)
}

/** Links to what is installed here, but for the workspaces: those are the commit's own. */
async function linkPackages(folder: string): Promise<void> {
  const workspaces = await workspacesIn(folder)
  await mkdir(join(folder, 'node_modules', '@muster'), { recursive: true })
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name !== '@muster') await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  for (const workspace of workspaces) {
    const name = workspace.split('/').at(-1) ?? workspace
    await symlink(join(folder, workspace), join(folder, 'node_modules', '@muster', name))
    // npm puts a package here when two workspaces want different versions of it.
    const own = join(workspace, 'node_modules')
    if (existsSync(join(root, own))) await symlink(join(root, own), join(folder, own))
  }
}

async function workspacesIn(folder: string): Promise<readonly string[]> {
  const homes = ['packages', 'apps'].map(async (home) =>
    (await readdir(join(folder, home))).map((name) => `${home}/${name}`),
  )
  return (await Promise.all(homes)).flat()
}

/** The cache of our own builds knows each package that has not changed. So this takes from half a second to a quarter of a minute. */
async function compile(folder: string): Promise<void> {
  const turbo = join(root, 'node_modules', '.bin', 'turbo')
  const cache = `--cache-dir=${join(root, '.turbo', 'cache')}`
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', TURBO_UI: 'false' }
  const args = ['run', 'build', '--filter=@muster/muster', '--output-logs=errors-only', cache]
  await run(turbo, args, { cwd: folder, env }).catch(({ stdout, stderr }: { stdout: string; stderr: string }) => {
    throw new Error(`${stdout}${stderr}`)
  })
}

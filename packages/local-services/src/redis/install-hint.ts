import { readOsRelease } from '../machine/os-release.ts'

/** The command that installs a Redis on this system. */
export async function installHint(): Promise<string> {
  const { families } = await readOsRelease()
  const family = families.find((name) => installCommands.has(name)) ?? ''
  return installCommands.get(family) ?? 'package redis or valkey'
}

const installCommands: ReadonlyMap<string, string> = new Map([
  ['debian', 'sudo apt-get install redis-server'],
  ['fedora', 'sudo dnf install valkey'],
  ['rhel', 'sudo dnf install redis'],
  ['alpine', 'sudo apk add redis'],
  ['arch', 'sudo pacman -S valkey'],
  ['suse', 'sudo zypper install redis'],
  ['darwin', 'brew install redis'],
])

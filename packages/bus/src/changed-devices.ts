import type { Channels } from './channels.ts'

/** Tells of devices whose twin has changed, for jobs that take in devices while they run. A hint: what is lost is found by a sweep. */
export interface ChangedDevices {
  /** Never waits, and never throws. While nobody watches, it tells nobody for some seconds. */
  noteChanged(deviceIds: readonly string[]): void
  /** Resolves with a function that ends it. */
  watchChanges(receive: (deviceIds: readonly string[]) => void): Promise<() => Promise<void>>
}

/** Changes are told together, because a device may report many times in a second. */
const collectMs = 200
/** Of one process at a time. A fleet that changes as a whole is looked at as a whole by the sweep. */
const devicesMax = 10_000
/** How long to keep quiet when nobody has listened. Whoever begins to watch looks at the whole fleet after that. */
const quietMs = 1_000

export function createChangedDevices(
  channels: Pick<Channels, 'publish' | 'subscribe'>,
): ChangedDevices & { close(): void } {
  let changed = new Set<string>()
  let quietUntilMs = 0
  let timer: NodeJS.Timeout | undefined

  const keepQuiet = () => {
    quietUntilMs = performance.now() + quietMs
  }
  const tell = () => {
    const deviceIds = [...changed]
    changed = new Set()
    timer = undefined
    channels.publish(channel, JSON.stringify(deviceIds)).then((listeners) => listeners === 0 && keepQuiet(), keepQuiet)
  }

  return {
    noteChanged(deviceIds) {
      if (performance.now() < quietUntilMs) return
      for (const deviceId of deviceIds) if (changed.size < devicesMax) changed.add(deviceId)
      timer ??= setTimeout(tell, collectMs).unref()
    },
    watchChanges: (receive) => channels.subscribe(channel, (text) => receive(JSON.parse(text))),
    close: () => clearTimeout(timer),
  }
}

const channel = 'changed-devices'

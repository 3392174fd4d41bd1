import { generateKey } from '@muster/auth'
import { assignBehaviours, createFleet, type Fleet, type Shares } from '@muster/simulator'
import type { TestHub } from '../hub.ts'
import { putJob } from '../jobs.ts'
import type { RoleProcess } from '../role-process.ts'
import { registered } from '../simulated.ts'

/** What the three minutes need: a hub with two gateways, and a worker that may freeze. */
export interface Stage {
  readonly hub: TestHub
  readonly gateways: readonly RoleProcess[]
  readonly worker: RoleProcess
  /** The address of a receiver of webhooks. */
  readonly receiver: string
}

/** Something that begins so many seconds after the start of the story. */
export interface Scene {
  readonly second: number
  happen(): Promise<unknown>
}

const devicesPerSite = 60
const shares = { failing: 0.05, failStatus: 500, silent: 0, offline: 0, latencyMs: [20, 900] } as const satisfies Shares
const sites = [
  { site: 'north', shares },
  // One in the south never answers, and two are never there.
  { site: 'south', shares: { ...shares, silent: 1 / devicesPerSite, offline: 2 / devicesPerSite } },
] as const
export const lengthSeconds = 180

const everywhere = "tags.site IN ['north', 'south']"
const inTheNorth = "tags.site = 'north'"
const inTheSouth = "tags.site = 'south'"

/** Quiet at first and in the end; between them jobs of each kind, devices that come and go, and callers that make mistakes. */
export async function prepareStory(stage: Stage): Promise<readonly Scene[]> {
  const { hub, worker, receiver } = stage
  const webhook = { url: receiver, secret: generateKey() }
  const [north, south] = await Promise.all(sites.map((site, index) => fleetOf(stage, site, index)))
  const { twins, reboot, cancel } = jobsOf(hub)
  const audience = audienceOf(hub)
  const startTime = new Date(Date.now() + 146_000).toISOString()

  return [
    { second: 12, happen: async () => north?.connect() },
    { second: 18, happen: async () => south?.connect() },
    { second: 22, happen: () => audience.enter(12) },
    { second: 24, happen: () => hub.request('PUT', '/webhooks/story', webhook) },
    { second: 28, happen: () => twins('twins-first', everywhere) },
    { second: 30, happen: () => reboot('reboot-later', everywhere, { startTime }) },
    { second: 38, happen: () => reboot('reboot-first', everywhere) },
    { second: 52, happen: () => intrude(stage) },
    { second: 62, happen: () => together(2, (index) => twins(`twins-second-${index}`, everywhere)) },
    { second: 72, happen: async () => south?.disconnect() },
    { second: 76, happen: () => reboot('reboot-south', inTheSouth) },
    { second: 80, happen: () => together(2, (index) => reboot(`reboot-cancelled-${index}`, inTheSouth)) },
    { second: 86, happen: () => together(2, (index) => cancel(`reboot-cancelled-${index}`)) },
    { second: 92, happen: async () => south?.connect() },
    { second: 104, happen: () => twins('twins-third', inTheNorth) },
    { second: 114, happen: () => together(3, (index) => reboot(`reboot-frozen-${index}`, inTheNorth)) },
    { second: 114.5, happen: async () => worker.signal('SIGSTOP') },
    { second: 136, happen: async () => worker.signal('SIGCONT') },
    { second: 150, happen: () => audience.leave() },
    { second: 160, happen: () => twins('twins-last', everywhere) },
    ...Array.from({ length: 520 }, (_, index) => ({ second: 32 + index / 4, happen: () => ask(hub, index) })),
  ]
}

/** The devices of a site. Each site has a gateway of its own. */
async function fleetOf({ hub, gateways }: Stage, { site, shares }: (typeof sites)[number], no: number): Promise<Fleet> {
  const place = { ...hub, mqttsPort: gateways[no]?.ports.mqtts ?? 0 }
  const options = await registered(place, { count: devicesPerSite, prefix: site, tags: { site } })
  return createFleet({ ...options, devices: assignBehaviours(options.devices, shares) })
}

function jobsOf(hub: TestHub) {
  return {
    twins: (jobId: string, queryCondition: string) =>
      putJob(hub, jobId, {
        type: 'scheduleUpdateTwin',
        queryCondition,
        updateTwin: { etag: '*', properties: { desired: { job: jobId } } },
      }),
    reboot: (jobId: string, queryCondition: string, more = {}) =>
      putJob(hub, jobId, {
        type: 'scheduleDeviceMethod',
        queryCondition,
        cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5 },
        maxExecutionTimeInSeconds: 40,
        ...more,
      }),
    cancel: (jobId: string) => hub.request('POST', `/jobs/v2/${jobId}/cancel`),
  }
}

/** Those who listen to all jobs. */
function audienceOf(hub: TestHub) {
  const readers: ReadableStreamDefaultReader<Uint8Array>[] = []
  return {
    enter: (count: number) =>
      together(count, async () => {
        const reader = (await hub.request('GET', '/jobs/v2/events')).body?.getReader()
        if (reader === undefined) return
        readers.push(reader)
        void readAll(reader)
      }),
    leave: () => Promise.all(readers.map((reader) => reader.cancel())),
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}

function together(count: number, run: (index: number) => Promise<unknown>): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, (_, index) => run(index)))
}

/** Devices with keys that are not theirs. They are refused, and that is what they are for. */
async function intrude({ hub, gateways }: Stage): Promise<void> {
  const devices = Array.from({ length: 12 }, (_, index) => ({
    deviceId: `north-${String(index).padStart(4, '0')}`,
    key: generateKey(),
  }))
  const options = { hostName: 'localhost', mqttsPort: gateways[0]?.ports.mqtts ?? 0, ca: hub.ca }
  const intruders = createFleet({ ...options, devices: assignBehaviours(devices, shares) })
  await Promise.allSettled(devices.map(({ deviceId }) => intruders.connect([deviceId])))
  await intruders.disconnect()
}

/** One of the requests that callers make all the time. In a part of the time they make mistakes, too. */
async function ask(hub: TestHub, index: number): Promise<void> {
  const deviceId = `north-${String(index % devicesPerSite).padStart(4, '0')}`
  const mistaken = index > 120 && index < 280
  const query = { query: "SELECT deviceId FROM devices WHERE tags.site = 'south'" }
  const requests = [
    () => hub.request('GET', `/twins/${deviceId}`),
    () => hub.request('GET', `/devices/${deviceId}`),
    () => hub.request('GET', mistaken ? `/twins/unknown-${index}` : '/jobs/v2/twins-first'),
    () => (mistaken ? changeOutdated(hub, deviceId) : hub.request('GET', `/twins/${deviceId}`)),
    () => hub.request('POST', '/devices/query', query),
    () => hub.request('POST', `/twins/${deviceId}/methods`, { methodName: 'ping', responseTimeoutInSeconds: 5 }),
    () => (mistaken ? hub.request('POST', '/devices/query', query) : hub.request('GET', '/statistics/devices')),
  ]
  const response = await requests[index % requests.length]?.()
  await response?.text()
}

/** With an etag that the twin no longer has. */
function changeOutdated({ httpPort, token }: TestHub, deviceId: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${httpPort}/twins/${deviceId}?api-version=2021-04-12`, {
    method: 'PATCH',
    headers: { authorization: token, 'content-type': 'application/json', 'if-match': '"outdated"' },
    body: JSON.stringify({ tags: { floor: 1 } }),
  })
}

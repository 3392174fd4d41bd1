import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startPrometheus, startReceiver } from '@muster/testkit'
import { expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub } from '../hub.ts'
import { startApiProcess, startProcess } from '../role-process.ts'
import { answered } from './answers.ts'
import { readDashboards } from './dashboard-files.ts'
import { drawPicture } from './drawing/picture.ts'
import { lengthSeconds, prepareStory, type Scene } from './story.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const rulesFolder = join(root, 'deploy', 'prometheus', 'rules')
/** Of the scrapes and of the points of a line. On a busy machine a scrape may take longer than a second. */
const stepSeconds = 3
const picturesFolder = join(root, 'docs', 'pictures')

it('draws every dashboard of a hub whose roles are processes of their own', async () => {
  // An API too, but only its certificates are used.
  await using hub = await startHub({
    roles: roles.filter(({ name }) => name === 'api'),
    settings: { MUSTER_THROTTLE: '{"queries":"1/s"}', MUSTER_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' },
  })
  // Every fifth call fails.
  await using receiver = await startReceiver((response) =>
    response.writeHead(receiver.received.length % 5 === 0 ? 503 : 204).end(),
  )
  await using api = await startApiProcess(hub)
  await using firstGateway = await startProcess(hub, ['gateway'])
  await using secondGateway = await startProcess(hub, ['gateway'])
  await using dispatcher = await startProcess(hub, ['dispatcher'])
  await using firstWorker = await startProcess(hub, ['worker'])
  await using secondWorker = await startProcess(hub, ['worker'])
  const processes = [
    { component: 'api', ...api },
    { component: 'gateway', ...firstGateway },
    { component: 'gateway', ...secondGateway },
    { component: 'dispatcher', ...dispatcher },
    { component: 'worker', ...firstWorker },
    { component: 'worker', ...secondWorker },
  ]
  await using prometheus = await startPrometheus(
    processes.map(({ component, ports }) => ({ component, port: ports.http })),
    { ruleFiles: (await readdir(rulesFolder)).map((file) => join(rulesFolder, file)), scrapeSeconds: stepSeconds },
  )
  const reached = { ...hub, request: api.request, httpPort: api.ports.http }
  const gateways = [firstGateway, secondGateway]
  const scenes = await prepareStory({ hub: reached, gateways, worker: secondWorker, receiver: receiver.url })

  const start = Date.now() / 1000
  await play(scenes)

  const range = { start, end: start + lengthSeconds, stepSeconds }
  const drawn = await Promise.all(
    readDashboards().map(async (dashboard) => ({
      uid: dashboard.uid,
      ...(await answered(prometheus, dashboard, range)),
    })),
  )
  expect(drawn.flatMap(({ empty }) => empty)).toEqual([])
  for (const { uid, picture } of drawn) await writeFile(join(picturesFolder, `${uid}.svg`), drawPicture(picture))
})

/** Lets each scene begin at its second, whether or not those before it have ended. The time itself is what the pictures show. */
async function play(scenes: readonly Scene[]): Promise<void> {
  await Promise.all([
    wait(lengthSeconds * 1000),
    ...scenes.map(async ({ second, happen }) => {
      await wait(second * 1000)
      await happen()
    }),
  ])
}

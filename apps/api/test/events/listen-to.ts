import { type EventReader, readEvents } from '@muster/testkit'
import { type Api, hostName, tokenOf } from '../api.ts'

interface Listening {
  readonly lastEventId?: string | null
  readonly authorization?: string
}

/** Asks for a stream as the owner. */
export async function askFor(
  api: Api,
  path: string,
  { lastEventId = null, authorization = tokenOf(api, 'iothubowner') }: Listening = {},
): Promise<Response> {
  return api.app.request(`https://${hostName}${path}?api-version=2021-04-12`, {
    headers: { authorization, ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) },
  })
}

export async function listenTo(api: Api, path: string, listening: Listening = {}): Promise<EventReader> {
  const response = await askFor(api, path, listening)
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}`)
  return readEvents(response)
}

/** Creates a twin job over all devices. It does not start by itself. */
export async function putJob(api: Api, jobId: string): Promise<void> {
  const { status, text } = await api.send('PUT', `/jobs/v2/${jobId}`, {
    type: 'scheduleUpdateTwin',
    updateTwin: { etag: '*', tags: { seen: true } },
    queryCondition: '*',
  })
  if (status !== 200) throw new Error(text)
}

import type { Api } from './api.ts'

/** Registers so many devices, as many at a time as a bulk request may: d0, d1, ... */
export async function givenDevices(api: Api, count: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, index) => ({ id: `d${index}`, importMode: 'create' }))
  for (let from = 0; from < count; from += 100) {
    const { body } = await api.send('POST', '/devices', entries.slice(from, from + 100))
    if (body.isSuccessful !== true) throw new Error(JSON.stringify(body))
  }
}

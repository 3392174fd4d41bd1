import { type Bus, type CallResult, newCall } from '@muster/bus'

/** Calls devices that nobody has called before. The results are without the times of delivery. */
export async function callAll(bus: Bus, call: Parameters<typeof newCall>[0]): Promise<readonly CallResult[]> {
  const results: CallResult[] = []
  const options = { signal: new AbortController().signal, patience: 'short' } as const
  for await (const some of bus.callDevices(newCall(call, new Date()), options)) results.push(...some)
  return results.map(({ deliveredAtMs: _, ...result }) => result)
}

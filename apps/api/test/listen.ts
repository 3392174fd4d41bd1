import type { ConnectionClose, DesiredPush } from '@muster/bus'
import { gatewayId } from '@muster/contract'
import type { Api } from './api.ts'

export interface Heard extends AsyncDisposable {
  readonly pushes: readonly DesiredPush[]
  readonly closes: readonly ConnectionClose[]
}

/** Hears what a gateway of this name is told. */
export async function listen(api: Api, gateway: string): Promise<Heard> {
  const pushes: DesiredPush[] = []
  const closes: ConnectionClose[] = []
  const door = await api.bus.serveGateway(gatewayId(gateway), {
    call: () => {},
    dropCall: () => {},
    pushDesired: (push) => pushes.push(push),
    closeConnection: (close) => closes.push(close),
  })
  return { pushes, closes, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() }
}

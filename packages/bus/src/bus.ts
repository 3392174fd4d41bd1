import { type GatewayId, toError } from '@muster/contract'
import { type Caller, createCaller } from './caller.ts'
import type { ConnectionClose, DesiredPush, GatewayDoor, GatewayMessage, GatewaysMessage } from './calls.ts'
import { type ChangedDevices, createChangedDevices } from './changed-devices.ts'
import { createChannels } from './channels.ts'
import { checkRedis, openConnections } from './connection.ts'
import { channelOf, gatewaysChannel, serveGateway } from './gateway-door.ts'
import type { BusClock } from './hub-time-backend.ts'
import { seldom } from './seldom.ts'
import { createTokenBuckets, type TokenBuckets } from './token-buckets.ts'
import { createWakeUps, type WakeUps } from './wake-ups.ts'

/** The only access to Redis. It carries no state that must last: all of it may be lost at any moment. */
export interface Bus extends Omit<WakeUps, 'close'>, Caller, TokenBuckets, ChangedDevices, AsyncDisposable {
  /** Throws when Redis does not answer, takes no writes, or is set to evict keys. */
  ping(): Promise<void>
  /** Serves the calls of the rest of the hub until disposed. */
  serveGateway(gatewayId: GatewayId, door: GatewayDoor): Promise<AsyncDisposable>
  /** Tells a gateway of a desired patch. False: no such gateway listens; its devices read the twin when they connect. */
  pushDesired(gatewayId: GatewayId, push: DesiredPush): Promise<boolean>
  /** Tells every gateway that no device is to get this call any more. */
  dropCall(callId: string): Promise<void>
  /** Tells a gateway to end a connection. False: no such gateway listens. */
  closeConnection(gatewayId: GatewayId, close: ConnectionClose): Promise<boolean>
}

/**
 * Connects to Redis. `prefix` keeps several hubs apart on one server; its braces keep a hub's keys on one node of a cluster.
 * `onError` is called for losses that the bus repairs or accepts, at most once a second for each kind. `clock` is the time of the hub.
 */
export async function connectBus(options: {
  url: string
  prefix?: string
  onError: (error: Error) => void
  clock?: BusClock
}): Promise<Bus> {
  const { url, prefix = '{muster}', clock = { now: () => new Date() } } = options
  const onError = seldom(options.onError)
  const connections = await openConnections(url, onError)
  const wakeUps = createWakeUps(connections, { prefix, onError, clock })
  const channels = createChannels(connections, { prefix, onError })
  const caller = await createCaller(channels)
  const changed = createChangedDevices(channels)

  const tell = async (channel: string, message: GatewayMessage | GatewaysMessage): Promise<boolean> => {
    try {
      return (await channels.publish(channel, JSON.stringify(message))) > 0
    } catch (error) {
      onError(toError(error))
      return false
    }
  }

  return {
    ...wakeUps,
    callDevices: caller.callDevices,
    noteChanged: changed.noteChanged,
    watchChanges: changed.watchChanges,
    ...createTokenBuckets(connections, { prefix, onError }),
    ping: () => checkRedis(connections.commands, prefix),
    serveGateway: (gatewayId, door) => serveGateway(channels, gatewayId, door, onError),
    pushDesired: (gatewayId, push) =>
      tell(channelOf(gatewayId), { kind: 'desired', push, toldAtMs: clock.now().getTime() }),
    closeConnection: (gatewayId, close) => tell(channelOf(gatewayId), { kind: 'close', close }),
    async dropCall(callId) {
      await tell(gatewaysChannel, { kind: 'drop', callId })
    },
    async [Symbol.asyncDispose]() {
      await wakeUps.close()
      caller.close()
      changed.close()
      channels.close()
      connections.close()
    },
  }
}

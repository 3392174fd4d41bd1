import { unreachable } from '@muster/contract'
import type { PublishPacket } from 'aedes'
import type { Gateway } from '../gateway.ts'
import type { Session } from '../sessions/session.ts'
import { parseDeviceTopic } from '../topics/topics.ts'
import { receiveAnswer } from '../traffic/method-topics.ts'
import { readTwin, reportProperties } from '../traffic/twin-topics.ts'

/**
 * Handles a message that a device publishes. A PUBACK may follow at once, because the answer to a twin request is another message.
 * False for a topic that is not in the contract: the connection must end.
 */
export function receive(gateway: Gateway, session: Session, packet: PublishPacket): boolean {
  const topic = packet.qos === 2 ? null : parseDeviceTopic(packet.topic, session.identity)
  if (topic === null) return false

  session.noteActivity()
  gateway.metrics.muster_mqtt_messages_total.inc({ kind: topic.kind })
  const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
  switch (topic.kind) {
    case 'twinGet':
      readTwin(gateway, session, topic)
      return true
    case 'reportedPatch':
      reportProperties(gateway, session, topic, payload)
      return true
    case 'methodAnswer':
      receiveAnswer(session, topic, payload)
      return true
    case 'telemetry':
      gateway.events.telemetryReceived({ deviceId: session.identity })
      return true
    default:
      return unreachable(topic)
  }
}

/** A will counts as telemetry when the connection ended without a DISCONNECT. */
export function receiveWill({ events }: Gateway, { identity }: Session, packet: PublishPacket): void {
  if (parseDeviceTopic(packet.topic, identity)?.kind === 'telemetry') events.telemetryReceived({ deviceId: identity })
}

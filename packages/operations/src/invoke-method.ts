import type { CallResult } from '@muster/bus'
import {
  type ErrorName,
  HubError,
  type JsonObject,
  methodRequestText,
  methodResponseText,
  parseMethodOfJob,
  storedPayload,
  unreachable,
} from '@muster/contract'
import type { DeviceOperation, Outcome } from './operation.ts'
import { parametersOfPayload } from './payload-by-device.ts'
import { isRetriedUnknown } from './retry.ts'

/** `scheduleDeviceMethod`: calls a direct method on every device that is reachable inside the window of the job. */
export const invokeMethod: DeviceOperation = {
  kind: 'device',
  type: 'scheduleDeviceMethod',
  member: 'cloudToDeviceMethod',
  // A chunk is one message to a gateway, and is asked for again when its worker dies. It must be small enough for both.
  chunkSize: 100,
  parseBody: (value, _, numberText) => ({ ...parseMethodOfJob(value, 'cloudToDeviceMethod', numberText) }),
  checkExtensions({ retry, parameters }, { onUnknownOutcome, payload }) {
    if (parameters !== undefined) parametersOfPayload(storedPayload(payload))
    if (onUnknownOutcome !== 'retry' || retry === undefined || !isRetriedUnknown(retry)) return
    throw new HubError('ArgumentInvalid', {
      message:
        'cloudToDeviceMethod.onUnknownOutcome is "retry", which has no bound, and retry.on has the unknown outcome, which has one; expected one of the two',
    })
  },
  bodyText: methodRequestText,
  // The stored body was checked.
  call: ({ methodName, responseTimeoutInSeconds }) => ({
    methodName: String(methodName),
    responseTimeoutSeconds: Number(responseTimeoutInSeconds),
  }),
  decide,
}

/** Once the device may have the call, the attempt is final. What certainly did not reach the device is tried again. */
function decide(result: CallResult, { onUnknownOutcome }: JsonObject): Outcome {
  switch (result.kind) {
    case 'answered':
      return { kind: 'succeeded', response: methodResponseText(result) }
    case 'noAnswer':
      return failed('GatewayTimeout', 'Timed out waiting for the response from device.')
    case 'badAnswer':
      return failed('GenericBadGateway', `The device's answer could not be used: ${result.reason}`)
    // The session said that the device was reachable. The next attempt looks it up again, and waits for it or calls it elsewhere.
    case 'notOnline':
    case 'busy':
    case 'expired':
    case 'noGateway':
      return { kind: 'retry' }
    case 'connectionLost':
    case 'takenOver':
    case 'gatewayLost':
    case 'forgotten':
      return onUnknownOutcome === 'retry' ? { kind: 'retry' } : outcomeUnknown(result)
    default:
      return unreachable(result)
  }
}

function outcomeUnknown({ deliveredAtMs }: CallResult): Outcome {
  return failed(
    'DeviceConnectionClosedRemotely',
    deliveredAtMs === undefined
      ? 'A gateway or a worker was lost: whether the call was delivered is not known.'
      : 'The connection or its gateway was lost after the call was delivered: whether the device acted is not known.',
  )
}

function failed(code: ErrorName, description: string): Outcome {
  return { kind: 'failed', error: { code, description } }
}

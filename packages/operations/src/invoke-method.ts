import type { CallResult } from '@muster/bus'
import { parseMethodRequest, unreachable } from '@muster/contract'
import type { DeviceOperation, Outcome } from './operation.ts'

/** `scheduleDeviceMethod`: calls a direct method on every device, when it is reachable inside the job's window. */
export const invokeMethod: DeviceOperation = {
  kind: 'device',
  type: 'scheduleDeviceMethod',
  member: 'cloudToDeviceMethod',
  // The unit that is called again when its worker dies, and one message to a gateway: small enough for both.
  chunkSize: 100,
  parseBody: (value) => ({ ...parseMethodRequest(value, 'cloudToDeviceMethod') }),
  // What is stored was checked: a payload of 128 KiB is not, for each chunk, once more.
  call: ({ methodName, payload = null, responseTimeoutInSeconds }) => ({
    methodName: String(methodName),
    payload,
    responseTimeoutSeconds: Number(responseTimeoutInSeconds),
  }),
  decide,
}

/** A device's own answer is final, whatever its status; faults on the way to it are not. */
function decide(result: CallResult): Outcome {
  switch (result.kind) {
    case 'answered':
      return { kind: 'succeeded', response: { status: result.status, payload: result.payload } }
    case 'noAnswer':
      return failed('GatewayTimeout', 'Timed out waiting for the response from device.')
    case 'badAnswer':
      return failed('GenericBadGateway', `The device's answer could not be used: ${result.reason}`)
    // The session said that it was reachable: looked up again in a moment, the device is waited for, or called elsewhere.
    case 'notOnline':
    case 'connectionLost':
    case 'takenOver':
    case 'busy':
    case 'gatewayLost':
      return { kind: 'retry' }
    default:
      return unreachable(result)
  }
}

function failed(code: 'GatewayTimeout' | 'GenericBadGateway', description: string): Outcome {
  return { kind: 'failed', error: { code, description } }
}

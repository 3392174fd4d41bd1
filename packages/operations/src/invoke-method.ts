import type { CallResult } from '@muster/bus'
import { parseMethodRequest, unreachable } from '@muster/contract'
import type { DeviceOperation, Outcome } from './operation.ts'

/** `scheduleDeviceMethod`: calls a direct method on every device that is reachable inside the window of the job. */
export const invokeMethod: DeviceOperation = {
  kind: 'device',
  type: 'scheduleDeviceMethod',
  member: 'cloudToDeviceMethod',
  // A chunk is called again when its worker dies, and is one message to a gateway. It must be small enough for both.
  chunkSize: 100,
  parseBody: (value) => ({ ...parseMethodRequest(value, 'cloudToDeviceMethod') }),
  // The stored body was checked. A payload of 128 KiB is not checked again for each chunk.
  call: ({ methodName, payload = null, responseTimeoutInSeconds }) => ({
    methodName: String(methodName),
    payload,
    responseTimeoutSeconds: Number(responseTimeoutInSeconds),
  }),
  decide,
}

/** The answer of a device is final, whatever its status. A fault on the way to the device is not. */
function decide(result: CallResult): Outcome {
  switch (result.kind) {
    case 'answered':
      return { kind: 'succeeded', response: { status: result.status, payload: result.payload } }
    case 'noAnswer':
      return failed('GatewayTimeout', 'Timed out waiting for the response from device.')
    case 'badAnswer':
      return failed('GenericBadGateway', `The device's answer could not be used: ${result.reason}`)
    // The session said that the device was reachable. The next attempt looks it up again, and waits for it or calls it elsewhere.
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

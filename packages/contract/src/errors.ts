/**
 * The catalogue of errors a caller can meet: name to number. The HTTP status is the number's first three digits.
 * Names and numbers are those of Azure IoT Hub, so that its SDKs map them to their own error types. It has no NothingMatches.
 */
export const errorCodes = {
  GenericBadRequest: 400000,
  InvalidProtocolVersion: 400001,
  InvalidOperation: 400003,
  ArgumentInvalid: 400004,
  ArgumentNull: 400005,
  IotHubFormatError: 400006,
  DeviceDefinedMultipleTimes: 400011,
  BulkRegistryOperationFailure: 400013,
  ConnectionForcefullyClosedOnNewConnection: 400027,
  IotHubUnauthorizedAccess: 401002,
  IotHubUnauthorized: 401003,
  DeviceMaximumInflightMethodExceeded: 403800,
  GenericNotFound: 404000,
  DeviceNotFound: 404001,
  JobNotFound: 404002,
  ModuleNotFound: 404010,
  DeviceNotOnline: 404103,
  DeviceConnectionClosedRemotely: 404104,
  GenericMethodNotAllowed: 405000,
  OperationNotAllowedInCurrentState: 405102,
  DeviceAlreadyExists: 409001,
  JobAlreadyExists: 409104,
  ModuleAlreadyExistsOnDevice: 409301,
  PreconditionFailed: 412001,
  JobRunPreconditionFailed: 412003,
  MessageTooLarge: 413001,
  TooManyDevices: 413002,
  TooManyModulesOnDevice: 413003,
  NothingMatches: 422001,
  ThrottlingException: 429001,
  ServerError: 500001,
  GenericBadGateway: 502000,
  ServiceUnavailable: 503001,
  GatewayTimeout: 504101,
} as const

export type ErrorName = keyof typeof errorCodes

export const errorNames = Object.keys(errorCodes).filter((name): name is ErrorName => name in errorCodes)

/** A fault of the caller or a known condition of the hub. Any other thrown error is a bug or lost infrastructure. */
export class HubError extends Error {
  readonly code: ErrorName
  /** Extra members of the second error form, such as the time that the call waited for a connection. */
  readonly info: Readonly<Record<string, string>> | undefined
  /** After this time, another try may succeed. */
  readonly retryAfterMs: number | undefined
  /** The device is at fault, and not the hub, whatever the status says. */
  readonly isOfDevice: boolean

  constructor(
    code: ErrorName,
    options: {
      message: string
      info?: Readonly<Record<string, string>>
      retryAfterMs?: number
      isOfDevice?: boolean
      cause?: unknown
    },
  ) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HubError'
    this.code = code
    this.info = options.info
    this.retryAfterMs = options.retryAfterMs
    this.isOfDevice = options.isOfDevice ?? false
  }

  get httpStatus(): number {
    return httpStatusOf(this.code)
  }
}

export function httpStatusOf(code: ErrorName): number {
  return Math.floor(errorCodes[code] / 1000)
}

/** Why a device job failed: a name of the catalogue and a text for the operator. */
export interface DeviceError {
  readonly code: ErrorName
  readonly description: string
}

/** Turns a forgotten case into a build error. */
export function unreachable(value: never): never {
  throw new TypeError(`unexpected value ${JSON.stringify(value)}`)
}

/** A caught value as an Error, for callbacks that take only errors. */
export function toError(caught: unknown): Error {
  return caught instanceof Error ? caught : new Error(String(caught))
}

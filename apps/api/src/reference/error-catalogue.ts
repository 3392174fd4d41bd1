import { type ErrorName, errorCodes, errorNames, httpStatusOf } from '@muster/contract'
import type { documentInfo } from '../http/openapi.ts'

/** When a caller, or a device of a job, meets each error. */
const meanings: Record<ErrorName, string> = {
  GenericBadRequest: 'The request is no good HTTP, or a word in it is not known',
  InvalidProtocolVersion: 'api-version is missing, is no date, or is before 2016-09-30',
  InvalidOperation: 'This hub does not do that',
  ArgumentInvalid: 'A parameter or member has a value that is not allowed',
  ArgumentNull: 'A parameter or member that is needed is missing',
  IotHubFormatError: 'The body is no JSON, or a member has another type',
  DeviceDefinedMultipleTimes: 'A bulk request names a device twice',
  BulkRegistryOperationFailure: 'An entry of a bulk request could not be carried out; the others were',
  ConnectionForcefullyClosedOnNewConnection: 'Another connection of the same device took the place of this one',
  IotHubUnauthorizedAccess: 'The token is expired, has a wrong signature, or is for another hub',
  IotHubUnauthorized: 'There is no token, or it lacks the permission that the address needs',
  DeviceMaximumInflightMethodExceeded: 'The device has ten direct methods under way',
  GenericNotFound: 'There is nothing at this address',
  DeviceNotFound: 'There is no device of this id, or it was deleted after the job started',
  JobNotFound: 'There is no job of this id, or its history is over',
  ModuleNotFound: 'There is no module of this id',
  DeviceNotOnline: 'The device did not connect in time, or does not take direct methods',
  DeviceConnectionClosedRemotely: 'The connection ended after the call: whether the device acted is not known',
  GenericMethodNotAllowed: 'The address has no such method; Allow lists those that it has',
  OperationNotAllowedInCurrentState: 'The job has ended',
  DeviceAlreadyExists: 'There is a device of this id',
  JobAlreadyExists: 'There is, or was, a job of this id',
  ModuleAlreadyExistsOnDevice: 'There is a module of this id',
  PreconditionFailed: 'If-Match names another version than the present one',
  JobRunPreconditionFailed: 'The window of the job ended before the device was reached',
  MessageTooLarge: 'The body, or a part of it, is larger than is allowed',
  TooManyDevices: 'A bulk request has more than 100 entries',
  TooManyModulesOnDevice: 'The device has 50 modules',
  NothingMatches: 'No device of the job is as the rerun wants it',
  ThrottlingException: 'The rate of the account is used up; try again after Retry-After',
  ServerError: 'A fault of the hub; its log has the tracking id',
  GenericBadGateway: 'The answer of the device could not be used',
  ServiceUnavailable: 'A store of the hub is away for now; try again after Retry-After',
  GatewayTimeout: 'The device did not answer in time, or a query took more than 10 seconds',
}

/** The head of the document, with the catalogue as a table in Markdown at the end of its description. */
export function withErrorCatalogue(info: typeof documentInfo): typeof documentInfo {
  const rows = errorNames.map((name) => `| ${httpStatusOf(name)} | ${name} | ${errorCodes[name]} | ${meanings[name]} |`)
  const table = ['| status | error | code | when |', '|---|---|---|---|', ...rows].join('\n')
  // Folded, because it is longer than a screen.
  const description = `${info.info.description}\n\n<details><summary>All errors</summary>\n\n${table}\n\n</details>`
  return { ...info, info: { ...info.info, description } }
}

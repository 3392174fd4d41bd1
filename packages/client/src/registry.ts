import type { JsonObject } from '@muster/contract'
import type { Call, CallOptions, Exchange } from './exchange.ts'
import { MusterError } from './muster-error.ts'
import type {
  BulkResult,
  Device,
  DeviceChange,
  DeviceDraft,
  DeviceStatistics,
  Module,
  ModuleDraft,
  ServiceStatistics,
} from './registry-wire.ts'

export interface IfMatch extends CallOptions {
  /** The etag that it must have; by default any. */
  readonly etag?: string | undefined
}

export interface Devices {
  /** @throws MusterError DeviceAlreadyExists */
  create(deviceId: string, draft?: DeviceDraft, options?: CallOptions): Promise<Device>
  /** @throws MusterError DeviceNotFound, PreconditionFailed when it has another etag, as the others below */
  update(deviceId: string, draft: DeviceDraft, options?: IfMatch): Promise<Device>
  get(deviceId: string, options?: CallOptions): Promise<Device>
  delete(deviceId: string, options?: IfMatch): Promise<void>
  /** At most 1000, in the order of their ids. A query gives them all, as twins. */
  list(options?: CallOptions & { readonly top?: number | undefined }): Promise<readonly Device[]>
  /**
   * At most 100 changes, also as a file holds them. Each is carried out by itself: the result names those that were not.
   */
  change(changes: readonly (DeviceChange | JsonObject)[], options?: CallOptions): Promise<BulkResult>
}

export interface Modules {
  /** @throws MusterError DeviceNotFound, ModuleAlreadyExistsOnDevice, TooManyModulesOnDevice */
  create(deviceId: string, moduleId: string, draft?: ModuleDraft, options?: CallOptions): Promise<Module>
  /** @throws MusterError ModuleNotFound, PreconditionFailed when it has another etag, as the others below */
  update(deviceId: string, moduleId: string, draft: ModuleDraft, options?: IfMatch): Promise<Module>
  get(deviceId: string, moduleId: string, options?: CallOptions): Promise<Module>
  delete(deviceId: string, moduleId: string, options?: IfMatch): Promise<void>
  list(deviceId: string, options?: CallOptions): Promise<readonly Module[]>
}

export interface Statistics {
  devices(options?: CallOptions): Promise<DeviceStatistics>
  service(options?: CallOptions): Promise<ServiceStatistics>
}

export function createDevices(exchange: Exchange): Devices {
  return {
    create: (deviceId, draft = {}, options) =>
      exchange.read(put(devicePath(deviceId), { ...draft, deviceId }, options)),
    update: (deviceId, draft, { etag = '*', ...options } = {}) =>
      exchange.read(put(devicePath(deviceId), { ...draft, deviceId }, options, etag)),
    get: (deviceId, options) => exchange.read(get(devicePath(deviceId), options)),
    delete: async (deviceId, options) => void (await exchange.read(remove(devicePath(deviceId), options))),
    list: ({ top, ...options } = {}) => exchange.read({ ...get('/devices', options), query: { top } }),
    change: (changes, options) =>
      exchange
        .read<BulkResult>({ method: 'POST', path: '/devices', body: changes, isSafe: false, ...options })
        .catch(resultOf),
  }
}

export function createModules(exchange: Exchange): Modules {
  return {
    create: (deviceId, moduleId, draft = {}, options) =>
      exchange.read(put(modulePath(deviceId, moduleId), { ...draft, deviceId, moduleId }, options)),
    update: (deviceId, moduleId, draft, { etag = '*', ...options } = {}) =>
      exchange.read(put(modulePath(deviceId, moduleId), { ...draft, deviceId, moduleId }, options, etag)),
    get: (deviceId, moduleId, options) => exchange.read(get(modulePath(deviceId, moduleId), options)),
    delete: async (deviceId, moduleId, options) =>
      void (await exchange.read(remove(modulePath(deviceId, moduleId), options))),
    list: (deviceId, options) => exchange.read(get(`${devicePath(deviceId)}/modules`, options)),
  }
}

export function createStatistics(exchange: Exchange): Statistics {
  return {
    devices: (options) => exchange.read(get('/statistics/devices', options)),
    service: (options) => exchange.read(get('/statistics/service', options)),
  }
}

/** When some changes could not be carried out, the answer is 400 and has the same result. */
function resultOf(error: unknown): BulkResult {
  if (error instanceof MusterError && isBulkResult(error.body)) return error.body
  throw error
}

function isBulkResult(body: unknown): body is BulkResult {
  return typeof body === 'object' && body !== null && 'errors' in body && Array.isArray(body.errors)
}

function devicePath(deviceId: string): string {
  return `/devices/${encodeURIComponent(deviceId)}`
}

function modulePath(deviceId: string, moduleId: string): string {
  return `${devicePath(deviceId)}/modules/${encodeURIComponent(moduleId)}`
}

function get(path: string, options?: CallOptions): Call {
  return { method: 'GET', path, isSafe: true, ...options }
}

function put(path: string, body: object, options?: CallOptions, etag?: string): Call {
  return { method: 'PUT', path, body, isSafe: false, headers: { 'if-match': quoted(etag) }, ...options }
}

function remove(path: string, { etag, ...options }: IfMatch = {}): Call {
  return { method: 'DELETE', path, isSafe: false, headers: { 'if-match': quoted(etag) }, ...options }
}

/** As HTTP has it. */
export function quoted(etag: string | undefined): string | undefined {
  return etag === undefined || etag === '*' || etag.startsWith('"') ? etag : `"${etag}"`
}

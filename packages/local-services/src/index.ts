export { removeDataDir } from './data-dir.ts'
export { LocalServicesError } from './error.ts'
export { defaultDataDir } from './folders.ts'
export { type LocalServices, type LocalServicesOptions, startLocalServices } from './local-services.ts'

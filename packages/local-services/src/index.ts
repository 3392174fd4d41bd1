export { type LocalServices, type LocalServicesOptions, startLocalServices } from './local-services.ts'
export { removeDataDir } from './machine/data-dir.ts'
export { LocalServicesError } from './machine/error.ts'
export { defaultDataDir } from './machine/folders.ts'

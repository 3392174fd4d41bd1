export { createDatabase, type TestDatabase, templateDatabase } from './database.ts'
export { eventually } from './eventually.ts'
export { uniquePrefix } from './redis.ts'

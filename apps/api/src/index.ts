export { createApp } from './app.ts'
export { role } from './role.ts'

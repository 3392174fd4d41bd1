export { role } from './role.ts'

import { complain } from './complain.ts'
import { createProgram } from './program.ts'

try {
  await createProgram().parseAsync()
} catch (error) {
  complain(error)
  process.exitCode = 1
}

import { LocalServicesError } from '@muster/local-services'
import { openLog, StartError } from '@muster/runtime'

/** Tells the user about an error: one line if the user can solve it, and all details otherwise. */
export function complain(error: unknown): void {
  if (error instanceof StartError || error instanceof LocalServicesError) {
    process.stderr.write(`muster: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}\n`)
  } else {
    openLog('fatal').fatal({ error }, 'crashed')
  }
}

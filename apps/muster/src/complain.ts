import { LocalServicesError } from '@muster/local-services'
import { openLog, StartError } from '@muster/runtime'

/** Tells the user of an error: one line for what they can put right, all that is known of the rest. */
export function complain(error: unknown): void {
  if (error instanceof StartError || error instanceof LocalServicesError) {
    process.stderr.write(`muster: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}\n`)
  } else {
    openLog('fatal').fatal({ error }, 'crashed')
  }
}
